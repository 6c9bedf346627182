"""What is run by both checkouts and compared: shell lines, each case in a folder of its own.

Lines that begin with `old:` are the old checkout's on both sides, so that what follows goes on with what it left. Data
are those that `tests.goldens.text.make_files` writes, and the digits.
"""

from __future__ import annotations

BASE = '--device cpu --epochs 2 --results_dir results'
DIGITS = f"--dataset digits --model mnist_f1 --model_config \"{{'width': 16, 'depth': 2}}\" {BASE}"
NORMAL, GHOSTS = f'python main_normal.py {DIGITS} --b 128', f'python main_gbn.py {DIGITS} --b 128 -mb 32'
COLOUR = f'--dataset fake:64:3x32x32:4 --b 32 {BASE}'
SWAP = '--swap-workers 2 --swap-epochs 2 --swap-batch-size 64'
# Training, a run each.
METHODS = {
    'plain': NORMAL,
    'scaled rate': f'{NORMAL} --b 640 --lr_bb_fix',
    'regime adaptation': f'{NORMAL} --b 640 --base-batch-size 128 --lr_bb_fix --regime_bb_fix',
    'warm-up': f'{NORMAL} --b 640 --warmup-epochs 1.5 --warmup-start 0.1 --linear-decay',
    'rate per example': f'{NORMAL} --base-lr-per-example 0.001 --momentum 0',
    'a regime': f'{NORMAL} --regime "{{0: {{\'lr\': 0.1, \'momentum\': 0.9}}, 1: {{\'lr\': 0.01}}}}"',
    'ghosts': GHOSTS,
    'micro-batches': f'{GHOSTS} --micro-batch-size 64',
    'batch multiplier': f'{GHOSTS} -bm 2 --reset-momentum',
    'last batch kept': f'{GHOSTS} --no-drop-last --b 96',
    'held out': f'{GHOSTS} --val-fraction 0.1 --val-seed 3 --stop-accuracy 60',
    'copies spread': f'{GHOSTS} --augment --duplicates 2 --cutout 2',
    'copies together': f'{GHOSTS} --augment --duplicates 2 --copies together --adapt-grad-norm 2',
    'noise scale': f'{GHOSTS} --noise-scale --tensorboard',
    'swa': f'{GHOSTS} --swa-start 1 --save_all --val-fraction 0.1',
    'gradient noise': f'{NORMAL} --base-batch-size 32 --no-lr_bb_fix --gradient-noise auto',
    'relu noise, dropout': f'python main_gbn.py {COLOUR} -mb 16 --model cifar10_shallow --relu_noise 0.1 --dropout 0.3',
    'swap': f'python main_swap.py {DIGITS} --b 640 -mb 32 {SWAP}',
    'half precision': f'{GHOSTS} --amp bf16',
    'double precision': f'{GHOSTS} --type torch.DoubleTensor --deterministic',
    'diverged': f'{NORMAL} --lr 1e30 --clip-grad 0',
    'from epoch 1': f'{GHOSTS} --start-epoch 1 --checkpoint-minutes 0 --print-freq 2',
    **{f'smoothout {name}': f'{GHOSTS} --ss 0.05 {flags}' for name, flags in {
        'uniform': '', 'normal': '--noise-type normal', 'weight': '--adapt-type weight',
        'filter': '--adapt-type filter --noise-type normal', 'anneal': '--smoothing-type anneal --ai 0.7',
        'tanh': '--smoothing-type tanh --ts 5 --adapt-type filter', 'step': '--noise-per step',
        'kept': '--no-denoise --no-exclude-bn',
    }.items()},
    **{name: f'{NORMAL} --optimizer {name} --lr 0.001 --wd 0.001' for name in (
        'ASGD', 'Adam', 'AdamW', 'Adamax', 'Adagrad', 'Adadelta', 'RMSprop',
    )},
    'Rprop': f'{NORMAL} --regime "{{0: {{\'optimizer\': \'Rprop\', \'lr\': 0.001}}}}"',
    'made-up data': f'python main_gbn.py --dataset fake:200:1x8x8:4 --model mnist_f1 {BASE} --b 64 -mb 32 --augment',
    'features': f'python main_normal.py --dataset features.npz --model mnist_f1 {BASE} --b 16',
    'a folder of classes': f'python main_normal.py --dataset classes --model mnist_f1 {BASE} --b 4 --augment --flip',
    **{name: f'python main_normal.py {COLOUR} --model {name} {flags}' for name, flags in {
        'resnet': '--model_config "{\'depth\': 8}" --channels-last', 'keskar_c1': '', 'keskar_f2': '',
        'wresnet16_4': '--model_config "{\'width\': 1}" --no-channels-last', 'alexnet_small': '', 'vgg': '--epochs 1',
    }.items()},
    'two ranks': f'{GHOSTS} --epochs 3'.replace('python', 'torchrun --standalone --nproc-per-node 2'),
}  # fmt: skip
PAIR = f'{NORMAL} --save small\n{NORMAL} --b 640 --save large'
ENDS = '--evaluate results/small --results_dir results'
BOTH = '--evaluate results/small results/large --results_dir results'
SUITE = './run_experiments.sh quickstart --results_dir results --seeds 2'
ARC = '--mode arc --bn recompute --save a'
ALL = '--augment --duplicates 2 --copies together --adapt-grad-norm 2 --ss 0.05 --adapt-type filter --swa-start 1'
PARTIAL = 'results/run/checkpoint_previous.pth.tar'
LONG = f'{GHOSTS} --epochs 60'
CASES = {
    **{name: f'{line} --save run' for name, line in METHODS.items()},
    'evaluate': f"""{PAIR}
        python evaluate.py {BOTH}
        python evaluate.py {BOTH} --mode train --ss 0.01 --noise-per copy --times 2 --save noise
        python evaluate.py {ENDS} --augment --duplicates 2 --avg-out --save copies
        python main_normal.py --evaluate results/small/model_best.pth.tar
        {NORMAL} --init-from results/large --save third""",
    'sharpness': f"""{PAIR}
        python measure_sharpness.py {BOTH} --epsilon 1e-3 5e-4 --times 2 --max-iterations 2
        python measure_sharpness.py {BOTH} --manifolds 10 --subspace unit --bn batch --mode val --num-examples 100
        python measure_sharpness.py {BOTH} --metric hessian --num-eigenvalues 2 --trace-samples 3
        python measure_sharpness.py {BOTH} --metric potential --directions 3
        python compare_experiments.py results""",
    'lines': f"""{PAIR}
        python visualize_sharpness.py {ENDS} --slave-evaluate results/large --alpha=-0.5:0.5:1.6
        python visualize_sharpness.py {ENDS} --slave-evaluate results/large --alpha 0:0.5:1.1 {ARC}
        python visualize2_sharpness.py {ENDS} --alpha=-0.3:0.3:0.31 --directions 2 --save b
        python visualize2_sharpness.py {ENDS} --alpha 0:0.3:0.31 --bn batch --no-visualize_train --save c""",
    'a trained pair': 'python plot_parametric_plot.py -n F1 --dataset digits --epochs 1 --results_dir results',
    'a suite': f"""{SUITE} -- --epochs 2
        python compare_experiments.py results/quickstart --format latex --figures figures --output page.html
        python compare_experiments.py results/quickstart --format markdown --group-by batch_size --reference small_batch
        python compare_experiments.py results/quickstart --format csv --compare val_error1 lr --x_axis step
        python compare_experiments.py results/quickstart --legend a b c d e""",
    'old run resumed': f"""old: {GHOSTS} --save run
        python main_gbn.py --resume results/run --epochs 4
        python main_gbn.py --resume results/run --epochs 4""",
    'old run of everything resumed': f"""old: {GHOSTS} {ALL} --optimizer Adam --lr 0.001 --tensorboard --save run
        python main_gbn.py --resume results/run --epochs 4""",
    'old run forked within an epoch': f"""old: {GHOSTS} --checkpoint-minutes 0.0000001 --save run
        python main_gbn.py --resume {PARTIAL} --save fork --epochs 3 --results_dir results""",
    'old run resumed after a signal': f"""old: timeout 6 {LONG} --save run
        python main_gbn.py --resume results/run --epochs 62""",
    'old swap resumed': f"""old: timeout 8 {METHODS['swap']} --swap-epochs 40 --save run
        python main_swap.py --resume results/run""",
    'old suite resumed': f"""old: timeout 14 {SUITE} --filter large_batch_lr -- --epochs 8
        {SUITE} --filter large_batch_lr -- --epochs 8""",
    'old runs measured': f"""old: {NORMAL} --save small
        old: {NORMAL} --b 640 --save large
        old: python measure_sharpness.py {BOTH} --max-iterations 1
        python measure_sharpness.py {BOTH} --max-iterations 1 --times 2
        python evaluate.py {BOTH}
        python compare_experiments.py results""",
}  # fmt: skip
