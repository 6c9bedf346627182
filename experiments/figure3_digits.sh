# Figure 3, what adapting the regime adds, hand-written digits; 21 runs, under 5 minutes on two cores
# seeds: 3

# Validation error with scaled rate and ghosts of 32: in the epochs of the small batch, and in its updates. All
# settings are ours. The largest batch is the whole training set, so that its ten epochs are ten updates.

python main_normal.py --save small_bs32 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 2e-3}, 8: {'lr': 2e-4}}" \
  --epochs 10 --b 32 --base-batch-size 32 --no-lr_bb_fix --no-flip

python main_gbn.py --save same_epochs_bs320 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 2e-3}, 8: {'lr': 2e-4}}" \
  --epochs 10 --b 320 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save same_epochs_bs640 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 2e-3}, 8: {'lr': 2e-4}}" \
  --epochs 10 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save same_epochs_bs1280 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 2e-3}, 8: {'lr': 2e-4}}" \
  --epochs 10 --b 1280 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save adapted_bs320 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 2e-3}, 8: {'lr': 2e-4}}" \
  --epochs 10 --b 320 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip

python main_gbn.py --save adapted_bs640 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 2e-3}, 8: {'lr': 2e-4}}" \
  --epochs 10 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip

python main_gbn.py --save adapted_bs1280 --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 5: {'lr': 2e-3}, 8: {'lr': 2e-4}}" \
  --epochs 10 --b 1280 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip
