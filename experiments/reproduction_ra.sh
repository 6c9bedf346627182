# Regime adaptation on MNIST: SB, LB, +LR+GBN, +RA of F1, and how far they travel; 4 runs, 2 hours on one core
# seeds: 1

# The rows of reproduction_f1 whose momentum is emptied each epoch and whose rate is scaled from a batch of 256, and the
# adapted regime on top: 25 epochs as there times 16, so 400 where the paper's commands, scaled from 128, make 1,600.
# The first phase, which the fit of the logarithm is about, has 4,680 updates for SB, 2,240 for +RA and 140 for the
# other two. Accuracy % in the paper, as far as known: 98.27 (SB), 97.05 (LB), 97.60 (+GBN), 98.53 (+RA).

python main_gbn.py --save lb_lr_gbn_ra --dataset mnist --model mnist_f1 --flip --epochs 25 \
  --b 4096 --mini-batch-size 128 --base-batch-size 256 --lr_bb_fix --regime_bb_fix --reset-momentum
python main_normal.py --save sb --dataset mnist --model mnist_f1 --flip --epochs 25 \
  --b 128 --base-batch-size 128 --lr_bb_fix --reset-momentum
python main_normal.py --save lb --dataset mnist --model mnist_f1 --flip --epochs 25 \
  --b 4096 --base-batch-size 128 --no-lr_bb_fix --reset-momentum
python main_gbn.py --save lb_lr_gbn --dataset mnist --model mnist_f1 --flip --epochs 25 \
  --b 4096 --mini-batch-size 128 --base-batch-size 256 --lr_bb_fix --reset-momentum
