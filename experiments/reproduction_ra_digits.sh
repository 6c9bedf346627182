# Do adapted runs travel as far as small-batch ones? Hand-written digits; 20 runs, 6 minutes on one core
# seeds: 5

# SB, LB, +LR+GBN and +RA: the distance from the initial weights against updates, and the accuracy. The first phase,
# which the fit of the logarithm is about, has 400 updates for SB and +RA and 20 for the other two. Random crops keep
# the gradients noisy: without them the network knows the 1,280 digits by heart and stops moving. All settings are
# ours.

python main_normal.py --save sb --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 10: {'lr': 2e-3}, 15: {'lr': 2e-4}}" \
  --epochs 20 --b 32 --base-batch-size 32 --no-lr_bb_fix --augment --no-flip

python main_normal.py --save lb --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 10: {'lr': 2e-3}, 15: {'lr': 2e-4}}" \
  --epochs 20 --b 640 --base-batch-size 32 --no-lr_bb_fix --augment --no-flip

python main_gbn.py --save lb_lr_gbn --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 10: {'lr': 2e-3}, 15: {'lr': 2e-4}}" \
  --epochs 20 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --augment --no-flip

python main_gbn.py --save lb_lr_gbn_ra --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 10: {'lr': 2e-3}, 15: {'lr': 2e-4}}" \
  --epochs 20 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --augment --no-flip
