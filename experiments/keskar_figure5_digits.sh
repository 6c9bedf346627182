# Keskar's figure 5, large batch from epochs of a small one, hand-written digits; 18 runs, under 5 minutes on two cores
# seeds: 2

# A batch of 32 for 10 epochs, then 20 epochs of 640 from the weights that it had after some of them: does the large
# batch find flat minima if a small one has led it near? Adam starts anew. Network, batch sizes and length are ours.

python main_normal.py --save small --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 10 --b 32 --base-batch-size 32 --no-lr_bb_fix --save_all

python main_normal.py --save from_epoch1 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 20 --b 640 --base-batch-size 32 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_1.pth.tar
python main_normal.py --save from_epoch2 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 20 --b 640 --base-batch-size 32 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_2.pth.tar
python main_normal.py --save from_epoch3 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 20 --b 640 --base-batch-size 32 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_3.pth.tar
python main_normal.py --save from_epoch4 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 20 --b 640 --base-batch-size 32 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_4.pth.tar
python main_normal.py --save from_epoch6 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 20 --b 640 --base-batch-size 32 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_6.pth.tar
python main_normal.py --save from_epoch8 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 20 --b 640 --base-batch-size 32 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_8.pth.tar
python main_normal.py --save from_epoch10 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 20 --b 640 --base-batch-size 32 --no-lr_bb_fix \
  --init-from TrainingResults/small/checkpoint_epoch_10.pth.tar

python measure_sharpness.py --save sharpness --epsilon 1e-3 --evaluate TrainingResults/from_epoch1 \
  TrainingResults/from_epoch2 TrainingResults/from_epoch3 TrainingResults/from_epoch4 TrainingResults/from_epoch6 \
  TrainingResults/from_epoch8 TrainingResults/from_epoch10
