# Sharp minima, Keskar's F1 on MNIST with Adam: Tables 2 to 4; 6 runs, then sharpness, 1.5 hours on one core
# seeds: 3

# Adam at its default rate whatever the batch, pixels from 0 to 1, no augmentation, no clipping, the last partial
# batch kept. Keskar et al. train until the loss stops improving; the 30 epochs were chosen for time. Sharpness on
# 10,000 training examples by the statistics of batches of 1,000, in full space and in 100 random dimensions.

python main_normal.py --save f1_adam_bs256 --dataset mnist --model keskar_f1 --pixels unit --no-augment --no-flip \
  --epochs 30 --b 256 --base-batch-size 256 --no-lr_bb_fix --no-drop-last --clip-grad 0
python main_normal.py --save f1_adam_bs6000 --dataset mnist --model keskar_f1 --pixels unit --no-augment --no-flip \
  --epochs 30 --b 6000 --base-batch-size 256 --no-lr_bb_fix --no-drop-last --clip-grad 0
python measure_sharpness.py --save sharpness --bn batch --num-examples 10000 --epsilon 1e-3 5e-4 \
  --evaluate TrainingResults/f1_adam_bs256 TrainingResults/f1_adam_bs6000
python measure_sharpness.py --save sharpness_100 --bn batch --num-examples 10000 --epsilon 1e-3 5e-4 --manifolds 100 \
  --evaluate TrainingResults/f1_adam_bs256 TrainingResults/f1_adam_bs6000
