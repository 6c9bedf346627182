# Masters & Luschi, error over batch size and rate per example, CIFAR-10; 402 runs, weeks on a GPU
# seeds: 3

# The settings of arXiv 1804.07612: SGD without momentum at the rate eta times the batch, 82 epochs for all, the rate
# over 10 after 50 and 75 % of them (61.5 epochs, here 62), weight decay 5e-4 for the reduced AlexNet and 1e-4 for
# ResNets, no augmentation, the gradient not clipped. Figures 1 to 3 have no batch norm; ResNet-32 trained without it
# with batches of 2 to 8 alone. Figure 7 is ResNet-32 with batch norm, figure 13 the same over ghosts, at an eta that we
# chose for the batch. Batch sizes and rates are every other power of two of theirs. The warm-up of figure 10:
#   ./run_experiments.sh small_batch --filter resnet32_bn -- --warmup-epochs 4.1 --warmup-start 0.03125

python main_normal.py --save alexnet_bs2_eta1_4096 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs2_eta1_1024 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs2_eta1_256 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs2_eta1_64 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs2_eta1_16 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs8_eta1_4096 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs8_eta1_1024 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs8_eta1_256 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs8_eta1_64 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs8_eta1_16 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs32_eta1_4096 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs32_eta1_1024 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs32_eta1_256 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs32_eta1_64 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs32_eta1_16 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs128_eta1_4096 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs128_eta1_1024 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs128_eta1_256 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs128_eta1_64 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs128_eta1_16 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs512_eta1_4096 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs512_eta1_1024 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs512_eta1_256 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs512_eta1_64 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save alexnet_bs512_eta1_16 --dataset cifar10 --model alexnet_small \
  --model_config "{'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 5e-4 --clip-grad 0 --no-augment --no-flip

python main_normal.py --save resnet8_bs2_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs2_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs2_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs2_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs2_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs8_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs8_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs8_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs8_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs8_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs32_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs32_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs32_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs32_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs32_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs128_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs128_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs128_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs128_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs128_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs512_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs512_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs512_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs512_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet8_bs512_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 8, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip

python main_normal.py --save resnet20_bs2_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs2_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs2_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs2_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs2_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs8_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs8_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs8_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs8_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs8_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs32_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs32_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs32_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs32_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs32_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs128_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs128_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs128_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs128_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs128_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs512_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs512_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs512_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs512_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet20_bs512_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 20, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip

python main_normal.py --save resnet32_bs2_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs2_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs2_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs2_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs2_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs8_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs8_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs8_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs8_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs8_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs32_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs32_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs32_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs32_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs32_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs128_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs128_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs128_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs128_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs128_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs512_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs512_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs512_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs512_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bs512_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32, 'norm': 'none'}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip

python main_normal.py --save resnet32_bn_bs2_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs2_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs2_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs2_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs2_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 2 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs8_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs8_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs8_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs8_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs8_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 8 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs32_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs32_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs32_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs32_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs32_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs128_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs128_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs128_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs128_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs128_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs512_eta1_4096 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.000244140625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs512_eta1_1024 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs512_eta1_256 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs512_eta1_64 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_normal.py --save resnet32_bn_bs512_eta1_16 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip

python main_gbn.py --save resnet32_ghosts2_bs32 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --mini-batch-size 2 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_gbn.py --save resnet32_ghosts8_bs32 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --mini-batch-size 8 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_gbn.py --save resnet32_ghosts32_bs32 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 32 --mini-batch-size 32 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_gbn.py --save resnet32_ghosts2_bs128 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --mini-batch-size 2 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_gbn.py --save resnet32_ghosts8_bs128 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --mini-batch-size 8 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_gbn.py --save resnet32_ghosts32_bs128 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 128 --mini-batch-size 32 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_gbn.py --save resnet32_ghosts2_bs512 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --mini-batch-size 2 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_gbn.py --save resnet32_ghosts8_bs512 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --mini-batch-size 8 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
python main_gbn.py --save resnet32_ghosts32_bs512 --dataset cifar10 --model resnet \
  --model_config "{'depth': 32}" --regime "{0: {'lr': 1}, 41: {'lr': 0.1}, 62: {'lr': 0.01}}" \
  --epochs 82 --b 512 --mini-batch-size 32 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --weight-decay 1e-4 --clip-grad 0 --no-augment --no-flip
