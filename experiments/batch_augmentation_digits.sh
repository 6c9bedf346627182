# Batch augmentation, 1 to 8 copies in a batch of 64, hand-written digits; 15 runs, under 5 minutes on two cores
# seeds: 3

# M copies of each image in a batch, each cropped and blanked anew; updates, rate and regime are the same in all rows
# but the last, a single copy for 8 times the epochs: as many images as m8 sees, in 8 times its updates. Ghosts of 64
# hold one copy each, so batch norm is the same in all rows. All settings are ours.

python main_gbn.py --save m1 --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.05, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 5e-3}, 13: {'lr': 5e-4}}" \
  --epochs 16 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --no-flip --augment --cutout 2

python main_gbn.py --save m2 --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.05, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 5e-3}, 13: {'lr': 5e-4}}" \
  --epochs 16 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --no-flip --augment --cutout 2 \
  --duplicates 2

python main_gbn.py --save m4 --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.05, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 5e-3}, 13: {'lr': 5e-4}}" \
  --epochs 16 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --no-flip --augment --cutout 2 \
  --duplicates 4

python main_gbn.py --save m8 --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.05, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 5e-3}, 13: {'lr': 5e-4}}" \
  --epochs 16 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --no-flip --augment --cutout 2 \
  --duplicates 8

python main_gbn.py --save m1_x8 --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.05, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 5e-3}, 13: {'lr': 5e-4}}" \
  --epochs 16 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --no-flip --augment --cutout 2 \
  --regime_bb_multi 8
