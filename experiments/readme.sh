# The ten published lines of the original run_experiments.sh as printed, but that line 5 trains the network it names

# Rates and epochs are what the code makes of the flags: without --base-batch-size the base batch is 256 in
# main_normal.py and the ghost size in main_gbn.py, and the last incomplete batch of an epoch is left out, which
# --no-drop-last keeps as published. No line trains the small batch that these are to be compared with.

# 1 to 4: ResNet-44 on CIFAR-10. Of the drops at epochs 81, 122 and 164 only the first lies within 100 epochs.
python main_normal.py --dataset cifar10 --model resnet --save cifar10_resnet44_bs2048_baseline --epochs 100 --b 2048 --no-lr_bb_fix;
python main_normal.py --dataset cifar10 --model resnet --save cifar10_resnet44_bs2048_lr_fix --epochs 100 --b 2048 --lr_bb_fix;
# --regime_bb_fix makes 800 epochs of the 100, and moves the drop to 648; batch norm is over the whole batch.
python main_normal.py --dataset cifar10 --model resnet --save cifar10_resnet44_bs2048_regime_adaptation --epochs 100 --b 2048 --lr_bb_fix --regime_bb_fix;
python main_gbn.py --dataset cifar10 --model resnet --save cifar10_resnet44_bs2048_ghost_bn256 --epochs 100 --b 2048 --lr_bb_fix --mini-batch-size 256;

# 5: published with --model resnet, which trains ResNet-44 under the name of the wide ResNet. 400 epochs of the 100.
python main_normal.py --dataset cifar100 --model wresnet16_4 --save cifar100_wresnet16_4_bs1024_regime_adaptation --epochs 100 --b 1024 --lr_bb_fix --regime_bb_fix;

# 6 to 8: F1 on MNIST. The published code also mirrored the digits at random, as --flip does. The second is called a
# baseline, though its rate is scaled by the square root of 8; that of the third by the square root of 32.
python main_normal.py --model mnist_f1 --dataset mnist --save mnist_baseline_bs2048_no_lr_fix --epochs 50 --b 2048 --no-lr_bb_fix;
python main_normal.py --model mnist_f1 --dataset mnist --save mnist_baseline_bs2048 --epochs 50 --b 2048 --lr_bb_fix;
python main_gbn.py --model mnist_f1 --dataset mnist --save mnist_baseline_bs4096_gbn --epochs 50 --b 4096 --lr_bb_fix --no-regime_bb_fix --mini-batch-size 128;

# 9 and 10: C3 and C1. Their regime raises the rate tenfold at epoch 60 and lowers it at 120 and 180. The published one
# has no momentum, as with --momentum 0. Called baselines, though they are large batches with ghosts and a scaled rate.
python main_gbn.py --model cifar100_shallow --dataset cifar100 --save shallow_cifar100_baseline_bs4096_gbn --epochs 200 --b 4096 --lr_bb_fix --no-regime_bb_fix --mini-batch-size 128;
python main_gbn.py --model cifar10_shallow --dataset cifar10 --save shallow_cifar10_baseline_bs4096_gbn --epochs 200 --b 4096 --lr_bb_fix --no-regime_bb_fix --mini-batch-size 128;
