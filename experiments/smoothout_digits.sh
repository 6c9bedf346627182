# SmoothOut and AdaSmoothOut at a batch of 640, hand-written digits; 24 runs, under 5 minutes on two cores
# seeds: 3

# sb and lb: a batch of 32, and one of 640 with scaled rate and ghosts of 32; on top of lb, noise on the weights: the
# same for all of them or, ada, scaled with the norm of each filter; fresh for each ghost, as published, or for each
# step. The rows with ra make as many updates as sb. All settings are ours, the strengths too: the published ones are
# not known.

python main_normal.py --save sb --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 32 --base-batch-size 32 --no-lr_bb_fix --no-flip

python main_gbn.py --save lb --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save lb_smooth --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix \
  --sharpness-smoothing 0.01 --no-flip

python main_gbn.py --save lb_smooth_step --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix \
  --sharpness-smoothing 0.01 --noise-per step --no-flip

python main_gbn.py --save lb_ada --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix \
  --sharpness-smoothing 0.1 --adapt-type filter --no-flip

python main_gbn.py --save lb_ada_step --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix \
  --sharpness-smoothing 0.1 --adapt-type filter --noise-per step --no-flip

python main_gbn.py --save lb_ra --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip

python main_gbn.py --save lb_ra_ada --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix \
  --sharpness-smoothing 0.1 --adapt-type filter --noise-per step --no-flip
