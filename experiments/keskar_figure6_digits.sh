# Keskar's figure 6, sharpness against loss along training, hand-written digits; 8 runs, under 5 minutes on two cores
# seeds: 2

# A small and a large batch, measured at some of their epochs: alike while the loss is high; then the small batch
# becomes flat as its loss falls, the large one does not. The large batch has four times the epochs, for a loss as low.
# Network, batch sizes, lengths and epochs are ours. The checkpoints take 0.3 GB.

python main_normal.py --save small --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 30 --b 32 --base-batch-size 32 --no-lr_bb_fix --save_all
python main_normal.py --save large --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 120 --b 640 --base-batch-size 32 --no-lr_bb_fix --save_all

python measure_sharpness.py --save sharpness_small --epsilon 1e-3 --evaluate \
  TrainingResults/small/checkpoint_epoch_1.pth.tar TrainingResults/small/checkpoint_epoch_2.pth.tar \
  TrainingResults/small/checkpoint_epoch_3.pth.tar TrainingResults/small/checkpoint_epoch_5.pth.tar \
  TrainingResults/small/checkpoint_epoch_8.pth.tar TrainingResults/small/checkpoint_epoch_12.pth.tar \
  TrainingResults/small/checkpoint_epoch_20.pth.tar TrainingResults/small/checkpoint_epoch_30.pth.tar
python measure_sharpness.py --save sharpness_large --epsilon 1e-3 --evaluate \
  TrainingResults/large/checkpoint_epoch_5.pth.tar TrainingResults/large/checkpoint_epoch_10.pth.tar \
  TrainingResults/large/checkpoint_epoch_15.pth.tar TrainingResults/large/checkpoint_epoch_20.pth.tar \
  TrainingResults/large/checkpoint_epoch_30.pth.tar TrainingResults/large/checkpoint_epoch_45.pth.tar \
  TrainingResults/large/checkpoint_epoch_60.pth.tar TrainingResults/large/checkpoint_epoch_120.pth.tar
