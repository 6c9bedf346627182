# Figure 1, final error against batch size, ResNet-44 on CIFAR-10; 16 runs, 14,600 epochs, days on a GPU
# seeds: 1

# Three lines of a chart, from 128, where they meet, to 4,096: no repair; rate and ghosts, in as many epochs; these
# and the adapted regime, in as many updates. `--filter plain` and `--filter lr_gbn_bs` leave out the long runs of the
# third. 200 epochs: the default of the published code. Which batch sizes the figure had besides 128 and 4,096 is our
# guess.

python main_normal.py --save plain_bs128 --dataset cifar10 --model resnet \
  --epochs 200 --b 128 --base-batch-size 128 --no-lr_bb_fix --flip
python main_normal.py --save plain_bs256 --dataset cifar10 --model resnet \
  --epochs 200 --b 256 --base-batch-size 128 --no-lr_bb_fix --flip
python main_normal.py --save plain_bs512 --dataset cifar10 --model resnet \
  --epochs 200 --b 512 --base-batch-size 128 --no-lr_bb_fix --flip
python main_normal.py --save plain_bs1024 --dataset cifar10 --model resnet \
  --epochs 200 --b 1024 --base-batch-size 128 --no-lr_bb_fix --flip
python main_normal.py --save plain_bs2048 --dataset cifar10 --model resnet \
  --epochs 200 --b 2048 --base-batch-size 128 --no-lr_bb_fix --flip
python main_normal.py --save plain_bs4096 --dataset cifar10 --model resnet \
  --epochs 200 --b 4096 --base-batch-size 128 --no-lr_bb_fix --flip

python main_gbn.py --save lr_gbn_bs256 --dataset cifar10 --model resnet \
  --epochs 200 --b 256 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip
python main_gbn.py --save lr_gbn_bs512 --dataset cifar10 --model resnet \
  --epochs 200 --b 512 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip
python main_gbn.py --save lr_gbn_bs1024 --dataset cifar10 --model resnet \
  --epochs 200 --b 1024 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip
python main_gbn.py --save lr_gbn_bs2048 --dataset cifar10 --model resnet \
  --epochs 200 --b 2048 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip
python main_gbn.py --save lr_gbn_bs4096 --dataset cifar10 --model resnet \
  --epochs 200 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip

python main_gbn.py --save lr_gbn_ra_bs256 --dataset cifar10 --model resnet \
  --epochs 200 --b 256 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip
python main_gbn.py --save lr_gbn_ra_bs512 --dataset cifar10 --model resnet \
  --epochs 200 --b 512 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip
python main_gbn.py --save lr_gbn_ra_bs1024 --dataset cifar10 --model resnet \
  --epochs 200 --b 1024 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip
python main_gbn.py --save lr_gbn_ra_bs2048 --dataset cifar10 --model resnet \
  --epochs 200 --b 2048 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip
python main_gbn.py --save lr_gbn_ra_bs4096 --dataset cifar10 --model resnet \
  --epochs 200 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip
