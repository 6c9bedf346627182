# Every repair of a batch of 4,096 at equal epochs, ten of them, F1 on MNIST; 30 runs, an hour on one core
# seeds: 3

# The rows of the suite methods at equal epochs, with a regime of 10 epochs in place of 50. Rows add to each other up to
# gbn; each repair is then added to gbn, but the gradient noise, which makes up for the unscaled rate. AdaSmoothOut draws
# its noise per step, for the time. SWAP: 7 epochs with the large batch, then 4 workers with the small one for 3. Length,
# strengths, copies and workers are ours.

python main_normal.py --save sb --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}, 8: {'lr': 0.001}}" \
  --epochs 10 --b 128 --base-batch-size 128 --no-lr_bb_fix --no-flip
python main_normal.py --save lb --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}, 8: {'lr': 0.001}}" \
  --epochs 10 --b 4096 --base-batch-size 128 --no-lr_bb_fix --no-flip
python main_normal.py --save lb_lr --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}, 8: {'lr': 0.001}}" \
  --epochs 10 --b 4096 --base-batch-size 128 --lr_bb_fix --no-flip
python main_gbn.py --save gbn --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}, 8: {'lr': 0.001}}" \
  --epochs 10 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip
python main_gbn.py --save gbn_smooth --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}, 8: {'lr': 0.001}}" \
  --epochs 10 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --sharpness-smoothing 0.01
python main_gbn.py --save gbn_ada_step --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}, 8: {'lr': 0.001}}" \
  --epochs 10 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --sharpness-smoothing 0.1 --adapt-type filter --noise-per step
python main_gbn.py --save gbn_noise --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}, 8: {'lr': 0.001}}" \
  --epochs 10 --b 4096 --mini-batch-size 128 --base-batch-size 128 --no-lr_bb_fix --no-flip \
  --gradient-noise auto
python main_gbn.py --save gbn_copies --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}, 8: {'lr': 0.001}}" \
  --epochs 10 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --duplicates 2
python main_gbn.py --save gbn_swa --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 10 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --swa-start 7
python main_swap.py --save gbn_swap --dataset mnist --model mnist_f1 \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 0.01}}" \
  --epochs 7 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --no-flip \
  --swap-workers 4 --swap-batch-size 128 --swap-epochs 3 --swap-lr 0.05
