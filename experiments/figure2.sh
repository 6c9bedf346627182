# Figure 2, weight distance against updates, ResNet-44 on CIFAR-10; 7 runs, 2,100 epochs, hours on a GPU
# seeds: 1

# The distance from the initial weights grows like the logarithm of the updates. Before, a large batch falls short of
# a small one; with scaled rate and ghosts of 128, the paper finds, the lines agree. The rate is never dropped: the
# law is about the phase before. --regime_bb_fix only gives every row the updates of the first, about 7,800. Batch
# sizes and length are our guess.

python main_normal.py --save before_bs128 --dataset cifar10 --model resnet \
  --epochs 20 --b 128 --base-batch-size 128 --no-lr_bb_fix --regime_bb_fix --flip \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}"
python main_normal.py --save before_bs512 --dataset cifar10 --model resnet \
  --epochs 20 --b 512 --base-batch-size 128 --no-lr_bb_fix --regime_bb_fix --flip \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}"
python main_normal.py --save before_bs2048 --dataset cifar10 --model resnet \
  --epochs 20 --b 2048 --base-batch-size 128 --no-lr_bb_fix --regime_bb_fix --flip \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}"
python main_normal.py --save before_bs4096 --dataset cifar10 --model resnet \
  --epochs 20 --b 4096 --base-batch-size 128 --no-lr_bb_fix --regime_bb_fix --flip \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}"

python main_gbn.py --save after_bs512 --dataset cifar10 --model resnet \
  --epochs 20 --b 512 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}"
python main_gbn.py --save after_bs2048 --dataset cifar10 --model resnet \
  --epochs 20 --b 2048 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}"
python main_gbn.py --save after_bs4096 --dataset cifar10 --model resnet \
  --epochs 20 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip \
  --regime "{0: {'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}}"
