# Table 1, AlexNet on ImageNet: SB, LB of 4,096, 8,192, +LR, +GBN, +RA; 9 runs, 3,090 epochs, GPU weeks
# seeds: 1

# Rows as in Table 1: SB, a batch of 128, which the regime is tuned at; LB, a large one with the same regime; then on
# top of each other +LR, the rate times (B / 128)**0.5; +GBN, ghosts of 128; +RA, all epochs times B / 128. The 30
# epochs are ours: the published regime has its last drop at 25. Accuracy % in the paper, as far as known, for 4,096:
# 57.10, 41.23, 53.25, 54.92, 59.5; for 8,192 +GBN 53.93. Rows with ghosts take 1,024 images at a time, to save
# memory; LB and +LR cannot, since batch norm is over the whole batch.

python main_normal.py --save alexnet_sb --dataset imagenet --model alexnet \
  --epochs 30 --b 128 --base-batch-size 128 --no-lr_bb_fix --flip
python main_normal.py --save alexnet_lb4096 --dataset imagenet --model alexnet \
  --epochs 30 --b 4096 --base-batch-size 128 --no-lr_bb_fix --flip
python main_normal.py --save alexnet_lb4096_lr --dataset imagenet --model alexnet \
  --epochs 30 --b 4096 --base-batch-size 128 --lr_bb_fix --flip
python main_gbn.py --save alexnet_lb4096_lr_gbn --dataset imagenet --model alexnet \
  --epochs 30 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip \
  --micro-batch-size 1024
python main_gbn.py --save alexnet_lb4096_lr_gbn_ra --dataset imagenet --model alexnet \
  --epochs 30 --b 4096 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip \
  --micro-batch-size 1024
python main_normal.py --save alexnet_lb8192 --dataset imagenet --model alexnet \
  --epochs 30 --b 8192 --base-batch-size 128 --no-lr_bb_fix --flip
python main_normal.py --save alexnet_lb8192_lr --dataset imagenet --model alexnet \
  --epochs 30 --b 8192 --base-batch-size 128 --lr_bb_fix --flip
python main_gbn.py --save alexnet_lb8192_lr_gbn --dataset imagenet --model alexnet \
  --epochs 30 --b 8192 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --flip \
  --micro-batch-size 1024
python main_gbn.py --save alexnet_lb8192_lr_gbn_ra --dataset imagenet --model alexnet \
  --epochs 30 --b 8192 --mini-batch-size 128 --base-batch-size 128 --lr_bb_fix --regime_bb_fix --flip \
  --micro-batch-size 1024
