# Keskar's figure 5, large batch from each epoch of a small one, C1 on CIFAR-10; 102 runs, 10,100 epochs
# seeds: 1

# A batch of 256 for 100 epochs, then 100 epochs of 5,000 from the weights that it had after each of them: does the
# large batch find flat minima if a small one has led it near? Adam starts anew. `--filter from_epoch2` takes some of
# them, once the first has run.

python main_normal.py --save small --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 256 --base-batch-size 256 --no-lr_bb_fix --save_all

python main_normal.py --save from_epoch1 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_1.pth.tar
python main_normal.py --save from_epoch2 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_2.pth.tar
python main_normal.py --save from_epoch3 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_3.pth.tar
python main_normal.py --save from_epoch4 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_4.pth.tar
python main_normal.py --save from_epoch5 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_5.pth.tar
python main_normal.py --save from_epoch6 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_6.pth.tar
python main_normal.py --save from_epoch7 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_7.pth.tar
python main_normal.py --save from_epoch8 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_8.pth.tar
python main_normal.py --save from_epoch9 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_9.pth.tar
python main_normal.py --save from_epoch10 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_10.pth.tar
python main_normal.py --save from_epoch11 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_11.pth.tar
python main_normal.py --save from_epoch12 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_12.pth.tar
python main_normal.py --save from_epoch13 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_13.pth.tar
python main_normal.py --save from_epoch14 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_14.pth.tar
python main_normal.py --save from_epoch15 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_15.pth.tar
python main_normal.py --save from_epoch16 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_16.pth.tar
python main_normal.py --save from_epoch17 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_17.pth.tar
python main_normal.py --save from_epoch18 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_18.pth.tar
python main_normal.py --save from_epoch19 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_19.pth.tar
python main_normal.py --save from_epoch20 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_20.pth.tar
python main_normal.py --save from_epoch21 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_21.pth.tar
python main_normal.py --save from_epoch22 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_22.pth.tar
python main_normal.py --save from_epoch23 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_23.pth.tar
python main_normal.py --save from_epoch24 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_24.pth.tar
python main_normal.py --save from_epoch25 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_25.pth.tar
python main_normal.py --save from_epoch26 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_26.pth.tar
python main_normal.py --save from_epoch27 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_27.pth.tar
python main_normal.py --save from_epoch28 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_28.pth.tar
python main_normal.py --save from_epoch29 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_29.pth.tar
python main_normal.py --save from_epoch30 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_30.pth.tar
python main_normal.py --save from_epoch31 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_31.pth.tar
python main_normal.py --save from_epoch32 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_32.pth.tar
python main_normal.py --save from_epoch33 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_33.pth.tar
python main_normal.py --save from_epoch34 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_34.pth.tar
python main_normal.py --save from_epoch35 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_35.pth.tar
python main_normal.py --save from_epoch36 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_36.pth.tar
python main_normal.py --save from_epoch37 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_37.pth.tar
python main_normal.py --save from_epoch38 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_38.pth.tar
python main_normal.py --save from_epoch39 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_39.pth.tar
python main_normal.py --save from_epoch40 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_40.pth.tar
python main_normal.py --save from_epoch41 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_41.pth.tar
python main_normal.py --save from_epoch42 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_42.pth.tar
python main_normal.py --save from_epoch43 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_43.pth.tar
python main_normal.py --save from_epoch44 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_44.pth.tar
python main_normal.py --save from_epoch45 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_45.pth.tar
python main_normal.py --save from_epoch46 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_46.pth.tar
python main_normal.py --save from_epoch47 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_47.pth.tar
python main_normal.py --save from_epoch48 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_48.pth.tar
python main_normal.py --save from_epoch49 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_49.pth.tar
python main_normal.py --save from_epoch50 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_50.pth.tar
python main_normal.py --save from_epoch51 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_51.pth.tar
python main_normal.py --save from_epoch52 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_52.pth.tar
python main_normal.py --save from_epoch53 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_53.pth.tar
python main_normal.py --save from_epoch54 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_54.pth.tar
python main_normal.py --save from_epoch55 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_55.pth.tar
python main_normal.py --save from_epoch56 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_56.pth.tar
python main_normal.py --save from_epoch57 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_57.pth.tar
python main_normal.py --save from_epoch58 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_58.pth.tar
python main_normal.py --save from_epoch59 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_59.pth.tar
python main_normal.py --save from_epoch60 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_60.pth.tar
python main_normal.py --save from_epoch61 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_61.pth.tar
python main_normal.py --save from_epoch62 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_62.pth.tar
python main_normal.py --save from_epoch63 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_63.pth.tar
python main_normal.py --save from_epoch64 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_64.pth.tar
python main_normal.py --save from_epoch65 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_65.pth.tar
python main_normal.py --save from_epoch66 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_66.pth.tar
python main_normal.py --save from_epoch67 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_67.pth.tar
python main_normal.py --save from_epoch68 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_68.pth.tar
python main_normal.py --save from_epoch69 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_69.pth.tar
python main_normal.py --save from_epoch70 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_70.pth.tar
python main_normal.py --save from_epoch71 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_71.pth.tar
python main_normal.py --save from_epoch72 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_72.pth.tar
python main_normal.py --save from_epoch73 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_73.pth.tar
python main_normal.py --save from_epoch74 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_74.pth.tar
python main_normal.py --save from_epoch75 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_75.pth.tar
python main_normal.py --save from_epoch76 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_76.pth.tar
python main_normal.py --save from_epoch77 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_77.pth.tar
python main_normal.py --save from_epoch78 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_78.pth.tar
python main_normal.py --save from_epoch79 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_79.pth.tar
python main_normal.py --save from_epoch80 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_80.pth.tar
python main_normal.py --save from_epoch81 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_81.pth.tar
python main_normal.py --save from_epoch82 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_82.pth.tar
python main_normal.py --save from_epoch83 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_83.pth.tar
python main_normal.py --save from_epoch84 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_84.pth.tar
python main_normal.py --save from_epoch85 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_85.pth.tar
python main_normal.py --save from_epoch86 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_86.pth.tar
python main_normal.py --save from_epoch87 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_87.pth.tar
python main_normal.py --save from_epoch88 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_88.pth.tar
python main_normal.py --save from_epoch89 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_89.pth.tar
python main_normal.py --save from_epoch90 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_90.pth.tar
python main_normal.py --save from_epoch91 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_91.pth.tar
python main_normal.py --save from_epoch92 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_92.pth.tar
python main_normal.py --save from_epoch93 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_93.pth.tar
python main_normal.py --save from_epoch94 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_94.pth.tar
python main_normal.py --save from_epoch95 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_95.pth.tar
python main_normal.py --save from_epoch96 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_96.pth.tar
python main_normal.py --save from_epoch97 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_97.pth.tar
python main_normal.py --save from_epoch98 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_98.pth.tar
python main_normal.py --save from_epoch99 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_99.pth.tar
python main_normal.py --save from_epoch100 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_100.pth.tar

python measure_sharpness.py --save sharpness --epsilon 1e-3 --evaluate TrainingResults/from_epoch1 \
  TrainingResults/from_epoch2 TrainingResults/from_epoch3 TrainingResults/from_epoch4 TrainingResults/from_epoch5 \
  TrainingResults/from_epoch6 TrainingResults/from_epoch7 TrainingResults/from_epoch8 TrainingResults/from_epoch9 \
  TrainingResults/from_epoch10 TrainingResults/from_epoch11 TrainingResults/from_epoch12 \
  TrainingResults/from_epoch13 TrainingResults/from_epoch14 TrainingResults/from_epoch15 \
  TrainingResults/from_epoch16 TrainingResults/from_epoch17 TrainingResults/from_epoch18 \
  TrainingResults/from_epoch19 TrainingResults/from_epoch20 TrainingResults/from_epoch21 \
  TrainingResults/from_epoch22 TrainingResults/from_epoch23 TrainingResults/from_epoch24 \
  TrainingResults/from_epoch25 TrainingResults/from_epoch26 TrainingResults/from_epoch27 \
  TrainingResults/from_epoch28 TrainingResults/from_epoch29 TrainingResults/from_epoch30 \
  TrainingResults/from_epoch31 TrainingResults/from_epoch32 TrainingResults/from_epoch33 \
  TrainingResults/from_epoch34 TrainingResults/from_epoch35 TrainingResults/from_epoch36 \
  TrainingResults/from_epoch37 TrainingResults/from_epoch38 TrainingResults/from_epoch39 \
  TrainingResults/from_epoch40 TrainingResults/from_epoch41 TrainingResults/from_epoch42 \
  TrainingResults/from_epoch43 TrainingResults/from_epoch44 TrainingResults/from_epoch45 \
  TrainingResults/from_epoch46 TrainingResults/from_epoch47 TrainingResults/from_epoch48 \
  TrainingResults/from_epoch49 TrainingResults/from_epoch50 TrainingResults/from_epoch51 \
  TrainingResults/from_epoch52 TrainingResults/from_epoch53 TrainingResults/from_epoch54 \
  TrainingResults/from_epoch55 TrainingResults/from_epoch56 TrainingResults/from_epoch57 \
  TrainingResults/from_epoch58 TrainingResults/from_epoch59 TrainingResults/from_epoch60 \
  TrainingResults/from_epoch61 TrainingResults/from_epoch62 TrainingResults/from_epoch63 \
  TrainingResults/from_epoch64 TrainingResults/from_epoch65 TrainingResults/from_epoch66 \
  TrainingResults/from_epoch67 TrainingResults/from_epoch68 TrainingResults/from_epoch69 \
  TrainingResults/from_epoch70 TrainingResults/from_epoch71 TrainingResults/from_epoch72 \
  TrainingResults/from_epoch73 TrainingResults/from_epoch74 TrainingResults/from_epoch75 \
  TrainingResults/from_epoch76 TrainingResults/from_epoch77 TrainingResults/from_epoch78 \
  TrainingResults/from_epoch79 TrainingResults/from_epoch80 TrainingResults/from_epoch81 \
  TrainingResults/from_epoch82 TrainingResults/from_epoch83 TrainingResults/from_epoch84 \
  TrainingResults/from_epoch85 TrainingResults/from_epoch86 TrainingResults/from_epoch87 \
  TrainingResults/from_epoch88 TrainingResults/from_epoch89 TrainingResults/from_epoch90 \
  TrainingResults/from_epoch91 TrainingResults/from_epoch92 TrainingResults/from_epoch93 \
  TrainingResults/from_epoch94 TrainingResults/from_epoch95 TrainingResults/from_epoch96 \
  TrainingResults/from_epoch97 TrainingResults/from_epoch98 TrainingResults/from_epoch99 \
  TrainingResults/from_epoch100
