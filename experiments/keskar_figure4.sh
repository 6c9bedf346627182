# Keskar's figure 4, error and sharpness against batch size, C1 on CIFAR-10; 7 runs, 600 epochs
# seeds: 1

# Adam at its default rate whatever the batch, pixels from 0 to 1, no augmentation, 100 epochs, as there. The sharpness
# is that of the last epoch, in full space. Which batch sizes the figure had is our guess; 5,000 is the paper's large
# batch.

python main_normal.py --save bs256 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 256 --base-batch-size 256 --no-lr_bb_fix
python main_normal.py --save bs512 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 512 --base-batch-size 256 --no-lr_bb_fix
python main_normal.py --save bs1024 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 1024 --base-batch-size 256 --no-lr_bb_fix
python main_normal.py --save bs2048 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 2048 --base-batch-size 256 --no-lr_bb_fix
python main_normal.py --save bs5000 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 5000 --base-batch-size 256 --no-lr_bb_fix
python main_normal.py --save bs10000 --dataset cifar10 --model keskar_c1 --pixels unit --no-augment --no-flip \
  --epochs 100 --b 10000 --base-batch-size 256 --no-lr_bb_fix

python measure_sharpness.py --save sharpness --epsilon 1e-3 5e-4 --evaluate TrainingResults/bs256 \
  TrainingResults/bs512 TrainingResults/bs1024 TrainingResults/bs2048 TrainingResults/bs5000 \
  TrainingResults/bs10000
