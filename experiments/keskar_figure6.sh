# Keskar's figure 6, sharpness against loss along training, C1 on CIFAR-10; 4 runs, 200 epochs
# seeds: 1

# The small and the large batch of the paper, measured at some of their epochs: alike while the loss is high; then that
# of the large batch rises as its loss falls. The epochs that are measured are ours. The checkpoints take 5 GB.

python main_normal.py --save small --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 256 --base-batch-size 256 --no-lr_bb_fix --save_all
python main_normal.py --save large --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix --save_all

python measure_sharpness.py --save sharpness_small --epsilon 1e-3 --evaluate \
  TrainingResults/small/checkpoint_epoch_1.pth.tar TrainingResults/small/checkpoint_epoch_2.pth.tar \
  TrainingResults/small/checkpoint_epoch_3.pth.tar TrainingResults/small/checkpoint_epoch_5.pth.tar \
  TrainingResults/small/checkpoint_epoch_7.pth.tar TrainingResults/small/checkpoint_epoch_10.pth.tar \
  TrainingResults/small/checkpoint_epoch_15.pth.tar TrainingResults/small/checkpoint_epoch_20.pth.tar \
  TrainingResults/small/checkpoint_epoch_30.pth.tar TrainingResults/small/checkpoint_epoch_40.pth.tar \
  TrainingResults/small/checkpoint_epoch_60.pth.tar TrainingResults/small/checkpoint_epoch_80.pth.tar \
  TrainingResults/small/checkpoint_epoch_100.pth.tar
python measure_sharpness.py --save sharpness_large --epsilon 1e-3 --evaluate \
  TrainingResults/large/checkpoint_epoch_1.pth.tar TrainingResults/large/checkpoint_epoch_2.pth.tar \
  TrainingResults/large/checkpoint_epoch_3.pth.tar TrainingResults/large/checkpoint_epoch_5.pth.tar \
  TrainingResults/large/checkpoint_epoch_7.pth.tar TrainingResults/large/checkpoint_epoch_10.pth.tar \
  TrainingResults/large/checkpoint_epoch_15.pth.tar TrainingResults/large/checkpoint_epoch_20.pth.tar \
  TrainingResults/large/checkpoint_epoch_30.pth.tar TrainingResults/large/checkpoint_epoch_40.pth.tar \
  TrainingResults/large/checkpoint_epoch_60.pth.tar TrainingResults/large/checkpoint_epoch_80.pth.tar \
  TrainingResults/large/checkpoint_epoch_100.pth.tar
