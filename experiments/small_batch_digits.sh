# Masters & Luschi, error over batch size and rate per example, digits; 66 runs, under 5 minutes on two cores
# seeds: 3

# Figure 1 of arXiv 1804.07612 in small: without batch norm, SGD without momentum at the rate eta times the batch, as
# many epochs for all, the rate over 10 after 50 and 75 % of them, the gradient not clipped. Then figure 13: with batch
# norm over ghosts, at an eta that suits the batch. The page begins with both as heat maps. Network, batch sizes, rates
# and length are ours.

python main_normal.py --save bs2_eta1_1024 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 2 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs2_eta1_256 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 2 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs2_eta1_64 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 2 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs2_eta1_16 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 2 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs32_eta1_1024 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 32 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs32_eta1_256 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 32 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs32_eta1_64 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 32 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs32_eta1_16 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 32 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs128_eta1_1024 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 128 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs128_eta1_256 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 128 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs128_eta1_64 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 128 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs128_eta1_16 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 128 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs512_eta1_1024 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 512 --base-lr-per-example 0.0009765625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs512_eta1_256 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 512 --base-lr-per-example 0.00390625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs512_eta1_64 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 512 --base-lr-per-example 0.015625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_normal.py --save bs512_eta1_16 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3, 'norm': 'none'}" \
  --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 512 --base-lr-per-example 0.0625 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip

python main_gbn.py --save ghosts2_bs128 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3}" --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 128 --mini-batch-size 2 --base-lr-per-example 0.0078125 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_gbn.py --save ghosts8_bs128 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3}" --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 128 --mini-batch-size 8 --base-lr-per-example 0.0078125 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_gbn.py --save ghosts32_bs128 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3}" --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 128 --mini-batch-size 32 --base-lr-per-example 0.0078125 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_gbn.py --save ghosts2_bs512 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3}" --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 512 --mini-batch-size 2 --base-lr-per-example 0.001953125 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_gbn.py --save ghosts8_bs512 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3}" --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 512 --mini-batch-size 8 --base-lr-per-example 0.001953125 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
python main_gbn.py --save ghosts32_bs512 --dataset digits --model mnist_f1 \
  --model_config "{'width': 64, 'depth': 3}" --regime "{0: {'lr': 1}, 4: {'lr': 0.1}, 6: {'lr': 0.01}}" \
  --epochs 8 --b 512 --mini-batch-size 32 --base-lr-per-example 0.001953125 --base-batch-size 2 --no-lr_bb_fix \
  --momentum 0 --clip-grad 0 --no-flip
