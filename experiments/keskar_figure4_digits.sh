# Keskar's figure 4, error and sharpness against batch size, hand-written digits; 18 runs, under 5 minutes on two cores
# seeds: 3

# Adam at its default rate whatever the batch, pixels from 0 to 1, no augmentation. The sharpness is that of the last
# epoch, in full space. Network, batch sizes and length are ours; 640 is half of the training set.

python main_normal.py --save bs32 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 60 --b 32 --base-batch-size 32 --no-lr_bb_fix
python main_normal.py --save bs80 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 60 --b 80 --base-batch-size 32 --no-lr_bb_fix
python main_normal.py --save bs160 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 60 --b 160 --base-batch-size 32 --no-lr_bb_fix
python main_normal.py --save bs320 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 60 --b 320 --base-batch-size 32 --no-lr_bb_fix
python main_normal.py --save bs640 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'Adam', 'lr': 1e-3}}" --pixels unit --no-augment --no-flip \
  --epochs 60 --b 640 --base-batch-size 32 --no-lr_bb_fix

python measure_sharpness.py --save sharpness --epsilon 1e-3 --evaluate TrainingResults/bs32 TrainingResults/bs80 \
  TrainingResults/bs160 TrainingResults/bs320 TrainingResults/bs640
