# SWAP against a small and a large batch, and SWA, hand-written digits; 12 runs, under 5 minutes on two cores
# seeds: 3

# As the suite swap, with all settings ours: 30 epochs of a batch of 32 or 640; the latter until 95 % are right, then 4
# workers with batches of 32 for 10 epochs, from half of the small batch's rate.

python main_normal.py --save sb --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 15: {'lr': 2e-3}, 25: {'lr': 2e-4}}" \
  --epochs 30 --b 32 --base-batch-size 32 --no-lr_bb_fix --no-flip
python main_gbn.py --save lb --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 15: {'lr': 2e-3}, 25: {'lr': 2e-4}}" \
  --epochs 30 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip
python main_gbn.py --save lb_swa --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 30 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip --swa-start 16
python main_swap.py --save swap --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}}" \
  --epochs 30 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip --stop-accuracy 95 \
  --swap-workers 4 --swap-batch-size 32 --swap-epochs 10 --swap-lr 0.01
