# Figure 1, final error against batch size, hand-written digits; 30 runs, under 5 minutes on two cores
# seeds: 3

# Three lines of a chart, from 32, where they meet, to 640, half of the training set: no repair; rate and ghosts, in
# as many epochs; these and the adapted regime, in as many updates. All settings are ours.

python main_normal.py --save plain_bs32 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 32 --base-batch-size 32 --no-lr_bb_fix --no-flip

python main_normal.py --save plain_bs160 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 160 --base-batch-size 32 --no-lr_bb_fix --no-flip

python main_normal.py --save plain_bs320 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 320 --base-batch-size 32 --no-lr_bb_fix --no-flip

python main_normal.py --save plain_bs640 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --base-batch-size 32 --no-lr_bb_fix --no-flip

python main_gbn.py --save lr_gbn_bs160 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 160 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save lr_gbn_bs320 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 320 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save lr_gbn_bs640 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save lr_gbn_ra_bs160 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 160 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip

python main_gbn.py --save lr_gbn_ra_bs320 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 320 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip

python main_gbn.py --save lr_gbn_ra_bs640 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 8: {'lr': 2e-3}, 13: {'lr': 2e-4}}" \
  --epochs 16 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip
