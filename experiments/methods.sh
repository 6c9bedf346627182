# Every repair of a batch of 4,096 at equal epochs and at equal updates, F1 on MNIST; 51 runs, half a week on two cores
# seeds: 3

# Rows add to each other up to gbn: sb, a small batch; lb, a large one; lr, the rate times the root of the ratio; gbn,
# ghosts of the small batch. Each repair is then added to gbn, so at equal epochs, and again to ra, gbn with the regime
# adapted, so at equal updates: smooth and ada, SmoothOut and AdaSmoothOut; noise, multiplicative gradient noise, which
# makes up for the unscaled rate; copies, 4 crops of each image in a batch, where the other rows have one; swa, the
# weights averaged over the last epochs (averaged_val columns); swap, the large batch followed by workers with the small
# one, as many epochs in all.
# Batch, regime and length are those of table1_mnist; the strengths, copies, workers and swa-start are ours.

python main_normal.py --save sb --dataset mnist --model mnist_f1 \
  --epochs 50 --b 128 --base-batch-size 128 --no-lr_bb_fix --no-flip
python main_normal.py --save lb --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --base-batch-size 128 --no-lr_bb_fix --no-flip
python main_normal.py --save lb_lr --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --base-batch-size 128 --lr_bb_fix --no-flip

python main_gbn.py --save gbn --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip
python main_gbn.py --save gbn_smooth --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --sharpness-smoothing 0.01
python main_gbn.py --save gbn_ada --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --sharpness-smoothing 0.1 --adapt-type filter
python main_gbn.py --save gbn_noise --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --no-lr_bb_fix --no-flip \
  --gradient-noise auto
python main_gbn.py --save gbn_copies --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --duplicates 4
python main_gbn.py --save gbn_swa --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --swa-start 40
python main_swap.py --save gbn_swap --dataset mnist --model mnist_f1 \
  --epochs 45 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --swap-workers 4 --swap-batch-size 128 --swap-epochs 5 --swap-lr 0.1

python main_gbn.py --save ra --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --no-flip
python main_gbn.py --save ra_smooth --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --no-flip \
  --sharpness-smoothing 0.01
python main_gbn.py --save ra_ada --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --no-flip \
  --sharpness-smoothing 0.1 --adapt-type filter
python main_gbn.py --save ra_noise --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --no-lr_bb_fix --regime_bb_fix --no-flip \
  --gradient-noise auto
python main_gbn.py --save ra_copies --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --no-flip \
  --duplicates 4
python main_gbn.py --save ra_swa --dataset mnist --model mnist_f1 \
  --epochs 50 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --no-flip \
  --swa-start 1280
python main_swap.py --save ra_swap --dataset mnist --model mnist_f1 \
  --epochs 45 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --no-flip \
  --swap-workers 4 --swap-batch-size 128 --swap-epochs 5 --swap-lr 0.1
