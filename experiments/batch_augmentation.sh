# Batch augmentation, 1 to 8 copies in a batch of 64, ResNet-44 on CIFAR-10; 15 runs of 100 or 800 epochs
# seeds: 3

# M copies of each image in a batch, each cropped, mirrored and blanked anew; updates, rate and regime are the same in
# all rows but the last, a single copy for 8 times the epochs: as many images as m8 sees, in 8 times its updates.
# Published (Hoffer et al. 2019): batch 64, the rate not scaled, cutout of 16 pixels, no clipping, 100 epochs, of whose
# regime the drop at 81 is reached; its example has 40 copies: about 95.4 %, as far as known, where one has about 93.8.
# Ours: ghosts of 64, which hold one copy each, so that batch norm is the same in all rows.

python main_gbn.py --save m1 --dataset cifar10 --model resnet --model_config "{'depth': 44}" \
  --epochs 100 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --flip --augment --cutout --clip-grad 0

python main_gbn.py --save m2 --dataset cifar10 --model resnet --model_config "{'depth': 44}" \
  --epochs 100 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --flip --augment --cutout --clip-grad 0 \
  --duplicates 2

python main_gbn.py --save m4 --dataset cifar10 --model resnet --model_config "{'depth': 44}" \
  --epochs 100 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --flip --augment --cutout --clip-grad 0 \
  --duplicates 4

python main_gbn.py --save m8 --dataset cifar10 --model resnet --model_config "{'depth': 44}" \
  --epochs 100 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --flip --augment --cutout --clip-grad 0 \
  --duplicates 8

python main_gbn.py --save m1_x8 --dataset cifar10 --model resnet --model_config "{'depth': 44}" \
  --epochs 100 --b 64 --mini-batch-size 64 --base-batch-size 64 --no-lr_bb_fix --flip --augment --cutout --clip-grad 0 \
  --regime_bb_multi 8
