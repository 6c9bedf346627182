# Figure 3, what adapting the regime adds, ResNet-44 on CIFAR-10; 5 runs, 8,600 epochs, days on a GPU
# seeds: 1

# Validation error with scaled rate and ghosts of 128: in the epochs of the small batch, and in its updates. 200
# epochs: the default of the published code. The batch of 1,024 beside 4,096 is ours.

python main_normal.py --save small_bs128 --dataset cifar10 --model resnet \
  --epochs 200 --b 128 --base-batch-size 128 --no-lr_bb_fix --flip

python main_gbn.py --save same_epochs_bs1024 --dataset cifar10 --model resnet \
  --epochs 200 --b 1024 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip
python main_gbn.py --save same_epochs_bs4096 --dataset cifar10 --model resnet \
  --epochs 200 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip

python main_gbn.py --save adapted_bs1024 --dataset cifar10 --model resnet \
  --epochs 200 --b 1024 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip
python main_gbn.py --save adapted_bs4096 --dataset cifar10 --model resnet \
  --epochs 200 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip
