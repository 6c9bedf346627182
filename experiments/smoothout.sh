# SmoothOut and AdaSmoothOut, F1 on MNIST, batches of 128 and 4,096; 27 runs of 50 epochs, some hours on two cores
# seeds: 3

# sb and lb: a batch of 128, and one of 4,096 with scaled rate and ghosts of 128, as in table1_mnist; on top of each,
# noise on the weights for each ghost, as published: the same for all (smooth) or scaled with the norm of each filter
# (ada); tanh: off at first, at full strength from the middle on; step: one draw for the whole batch. Network, batches,
# rates and noise are those of the published code; its strengths are not known: 0.01 and 0.1 are ours.

python main_normal.py --save sb --dataset mnist --model mnist_f1 \
  --epochs 50 --b 128 --base-batch-size 128 --no-lr_bb_fix --no-flip

python main_gbn.py --save sb_smooth --dataset mnist --model mnist_f1 \
  --epochs 50 --b 128 --mini-batch-size 128 --base-batch-size 128 --no-lr_bb_fix --sharpness-smoothing 0.01 --no-flip

python main_gbn.py --save sb_ada --dataset mnist --model mnist_f1 \
  --epochs 50 --b 128 --mini-batch-size 128 --base-batch-size 128 --no-lr_bb_fix \
  --sharpness-smoothing 0.1 --adapt-type filter --no-flip

python main_gbn.py --save lb --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip

python main_gbn.py --save lb_smooth --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --sharpness-smoothing 0.01 --no-flip

python main_gbn.py --save lb_smooth_tanh --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix \
  --sharpness-smoothing 0.01 --smoothing-type tanh --no-flip

python main_gbn.py --save lb_smooth_step --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix \
  --sharpness-smoothing 0.01 --noise-per step --no-flip

python main_gbn.py --save lb_ada --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix \
  --sharpness-smoothing 0.1 --adapt-type filter --no-flip

python main_gbn.py --save lb_ada_step --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix \
  --sharpness-smoothing 0.1 --adapt-type filter --noise-per step --no-flip
