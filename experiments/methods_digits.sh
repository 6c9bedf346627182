# Every repair of a batch of 640 at equal epochs and at equal updates, digits; 38 runs, under 5 minutes on two cores
# seeds: 2

# Rows add to each other up to gbn: sb, a small batch; lb, a large one; lr, the rate times the root of the ratio; gbn,
# ghosts of the small batch. Each repair is then added to gbn, so at equal epochs, and again to ra, gbn with the regime
# adapted, so at equal updates: smooth and ada, SmoothOut and AdaSmoothOut; noise, multiplicative gradient noise, which
# makes up for the unscaled rate; copies, 4 of each image, beside crops, the same with one; swa, the weights averaged
# over the last epochs (averaged_val columns); swap, the large batch followed by workers with the small one, as many
# epochs in all.
# All settings are ours; the noise of SmoothOut is drawn per step, for the time that it takes per ghost, and there are two
# seeds for the same reason: --seeds 3 takes 7 minutes.

python main_normal.py --save sb --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 32 --base-batch-size 32 --no-lr_bb_fix --no-flip
python main_normal.py --save lb --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --base-batch-size 32 --no-lr_bb_fix --no-flip
python main_normal.py --save lb_lr --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save gbn --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip
python main_gbn.py --save gbn_smooth --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip \
  --sharpness-smoothing 0.01 --noise-per step
python main_gbn.py --save gbn_ada --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip \
  --sharpness-smoothing 0.1 --adapt-type filter --noise-per step
python main_gbn.py --save gbn_noise --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --no-lr_bb_fix --no-flip \
  --gradient-noise auto
python main_gbn.py --save gbn_crops --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip \
  --augment
python main_gbn.py --save gbn_copies --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip \
  --augment --duplicates 4
python main_gbn.py --save gbn_swa --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip \
  --swa-start 6
python main_swap.py --save gbn_swap --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 6 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip \
  --swap-workers 2 --swap-batch-size 32 --swap-epochs 2 --swap-lr 0.02

python main_gbn.py --save ra --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip
python main_gbn.py --save ra_smooth --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip \
  --sharpness-smoothing 0.01 --noise-per step
python main_gbn.py --save ra_ada --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip \
  --sharpness-smoothing 0.1 --adapt-type filter --noise-per step
python main_gbn.py --save ra_noise --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --no-lr_bb_fix --regime_bb_fix --no-flip \
  --gradient-noise auto
python main_gbn.py --save ra_crops --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip \
  --augment
python main_gbn.py --save ra_copies --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip \
  --augment --duplicates 4
python main_gbn.py --save ra_swa --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 8 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip \
  --swa-start 120
python main_swap.py --save ra_swap --dataset digits --model mnist_f1 --model_config "{'width': 64}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 4: {'lr': 2e-3}, 6: {'lr': 2e-4}}" \
  --epochs 6 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip \
  --swap-workers 2 --swap-batch-size 32 --swap-epochs 2 --swap-lr 0.02
