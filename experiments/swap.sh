# SWAP against a small and a large batch, and SWA, F1 on MNIST; 12 runs, some hours on two cores
# seeds: 3

# SB, a batch of 128, which the regime is tuned at; LB, one of 4,096 at the scaled rate; SWA, the same with the average
# of its last 20 epochs; SWAP, that large batch until it is right on 98 % of what it is trained on, then 8 workers of
# their own with batches of 128 for 10 epochs, whose weights are averaged. Phases, 8 workers, the accuracy to stop at
# and the lower rate of the workers are the paper's for CIFAR-10 (arXiv 2001.02312); network and data, for which it has
# no figures, are ours.

python main_normal.py --save sb --dataset mnist --model mnist_f1 \
  --epochs 50 --b 128 --base-batch-size 128 --no-lr_bb_fix --no-flip
python main_gbn.py --save lb --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip
python main_gbn.py --save lb_swa --dataset mnist --model mnist_f1 --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip --swa-start 31
python main_swap.py --save swap --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip --stop-accuracy 98 \
  --swap-workers 8 --swap-batch-size 128 --swap-epochs 10 --swap-lr 0.04
