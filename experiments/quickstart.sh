# The generalization gap of a large batch and its repairs, on hand-written digits: 15 runs, under 4 minutes on two cores
# seeds: 3

python main_normal.py --save small_batch --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'SGD', 'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 15: {'lr': 2e-3}, 25: {'lr': 2e-4}}" \
  --epochs 30 --b 32 --base-batch-size 32 --no-lr_bb_fix --no-flip

python main_normal.py --save large_batch --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'SGD', 'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 15: {'lr': 2e-3}, 25: {'lr': 2e-4}}" \
  --epochs 30 --b 640 --base-batch-size 32 --no-lr_bb_fix --no-flip

python main_normal.py --save large_batch_lr --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'SGD', 'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 15: {'lr': 2e-3}, 25: {'lr': 2e-4}}" \
  --epochs 30 --b 640 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save large_batch_lr_gbn --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'SGD', 'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 15: {'lr': 2e-3}, 25: {'lr': 2e-4}}" \
  --epochs 30 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --no-flip

python main_gbn.py --save large_batch_lr_gbn_ra --dataset digits --model mnist_f1 --model_config "{'width': 128}" \
  --regime "{0: {'optimizer': 'SGD', 'lr': 0.02, 'momentum': 0.9, 'weight_decay': 1e-4}, 15: {'lr': 2e-3}, 25: {'lr': 2e-4}}" \
  --epochs 30 --b 640 --mini-batch-size 32 --base-batch-size 32 --lr_bb_fix --regime_bb_fix --no-flip
