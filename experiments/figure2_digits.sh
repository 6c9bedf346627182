# Figure 2, weight distance against updates, hand-written digits; 15 runs, under 5 minutes on two cores
# seeds: 3

# The distance from the initial weights grows like the logarithm of the updates. Before, a large batch falls short of
# a small one; with scaled rate and ghosts of 32 the lines agree. The rate is never dropped: the law is about the
# phase before. --regime_bb_fix only gives every row the 1,200 updates of the first. Random crops keep the gradients
# noisy: without them the network knows the 1,280 digits by heart after some hundred updates and stops moving. All
# settings are ours.

python main_normal.py --save before_bs32 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 30 --b 32 --base-batch-size 32 --no-lr_bb_fix --regime_bb_fix --augment --no-flip

python main_normal.py --save before_bs160 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 30 --b 160 --base-batch-size 32 --no-lr_bb_fix --regime_bb_fix --augment --no-flip

python main_normal.py --save before_bs640 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 30 --b 640 --base-batch-size 32 --no-lr_bb_fix --regime_bb_fix --augment --no-flip

python main_gbn.py --save after_bs160 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 30 --b 160 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --augment --no-flip

python main_gbn.py --save after_bs640 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 30 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --augment --no-flip
