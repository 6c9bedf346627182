"""Opening trained networks: settings of their run, flags over them, files from elsewhere."""

import shutil

import numpy as np
import pytest
import torch

import evaluate
from bigbatch.errors import UserError
from data import list_datasets
from models import create_model, list_models
from tests.conftest import TINY_GBN
from utils.command import user_errors
from utils.config.measure import build_analysis_parser, network_config
from utils.engine.network import digest_state, open_network
from utils.runs import checkpoint as checkpoints

MODEL = ('--model', 'mnist_f1', '--model_config', "{'width': 8, 'depth': 2}")
PLACE = ('--dataset', 'fake:64:1x8x8:4', '--device', 'cpu')


@pytest.fixture(scope='module')
def run(train_once):
    """A run of 48 training, 16 validation and 16 test images that kept every checkpoint."""
    return train_once(*TINY_GBN, '--val-fraction', '0.25', '--pixels', 'unit', '--no-flip', '--save_all')


def open_with(checkpoint, *flags, num_copies=1):
    parser = build_analysis_parser('doc', list_models(), list_datasets(), prog='x.py', batch_size=10)
    parser.set_defaults(num_copies=num_copies)
    with user_errors():
        config = network_config(parser, ['--evaluate', str(checkpoint), *flags], str(checkpoint))
        return open_network(config, str(checkpoint))


def examples_of(loader):
    batches = [micro for batch in loader.epoch(0) for micro in batch]
    return torch.cat([batch.inputs for batch in batches]), torch.cat([batch.targets for batch in batches])


def test_a_run_says_what_its_network_and_data_are(run):
    network = open_with(run)
    saved = checkpoints.load_state(run / 'checkpoint.pth.tar')
    assert all(torch.equal(value, saved[name]) for name, value in network.model.state_dict().items())
    assert not any(module.training for module in network.model.modules())
    assert not any('Ghost' in type(module).__name__ for module in network.model.modules())
    assert (network.label, network.run, network.path) == ('run', run, run / 'checkpoint.pth.tar')
    assert network.settings['ghost_batch_size'] == 4
    assert [loader.num_examples for loader in (network.train, network.val, network.test)] == [48, 16, 16]
    inputs, _ = examples_of(network.train)
    assert len(inputs) == 48
    assert 0 <= inputs.min() < 0.1 and 0.9 < inputs.max() <= 1
    expected = network.train.dataset.images[network.train.order(0)].numpy() / np.float32(255)
    np.testing.assert_allclose(inputs.numpy(), expected, atol=1e-6)  # unit pixels
    assert len(list(network.train.epoch(0))) == 5  # of 10
    assert network.train.order(0).sort().values.tolist() == list(range(48)) != network.train.order(0).tolist()
    # the same split as in training, whatever --seed is, which decides the order
    again = open_with(run, '--seed', '99')
    assert torch.equal(again.val.dataset.images, network.val.dataset.images)
    assert not torch.equal(again.val.order(0), network.val.order(0))


def test_names_and_digests_of_checkpoints(run):
    labels = {open_with(run / name).label: open_with(run / name).digest for name in (
        'checkpoint.pth.tar', 'model_best.pth.tar', 'checkpoint_epoch_1.pth.tar', 'initial.pth.tar',
    )}  # fmt: skip
    assert list(labels) == ['run', 'run/model_best', 'run/checkpoint_epoch_1', 'run/initial']
    assert open_with(run).digest == labels['run'] != labels['run/initial']
    assert all(len(digest) == 12 and int(digest, 16) >= 0 for digest in labels.values())
    state = create_model('mnist_f1', width=8, depth=2, num_classes=4, input_shape=(1, 8, 8)).state_dict()
    seen = {digest_state(state), digest_state({f'x{name}': value for name, value in state.items()})}
    for name, value in state.items():
        changed = value.clone().reshape(-1)
        changed[-1] += 1
        seen.add(digest_state({**state, name: changed.reshape(value.shape)}))
    assert len(seen) == len(state) + 2  # every name and every byte is seen
    assert digest_state({name: value.clone() for name, value in state.items()}) in seen


def test_flags_come_over_what_the_run_stored(run, tmp_path):
    flags = ('--type', 'torch.DoubleTensor', '--pixels', 'normalized', '-b', '7', '--num-examples', '10')
    network = open_with(run, *flags)
    assert next(network.model.parameters()).dtype == torch.float64
    assert examples_of(network.train)[0].dtype == torch.float64
    assert network.train.batch_size == 7
    assert (network.conditions['pixels'], network.conditions['dtype']) == ('normalized', 'float64')
    assert (network.train.num_examples, network.val.num_examples) == (10, 10)
    with pytest.raises(UserError, match='weights of another network'):  # without the options of the other model
        open_with(run, '--model', 'keskar_f1')
    for flags, words in (
        (('--model_config', "{'width': 3}"), "its run has --model_config \"{'width': 8, 'depth': 2}\""),
        (('--input_size', '5'), 'its run has no --input_size'),
    ):
        with pytest.raises(UserError) as caught:
            open_with(run, *flags)
        assert str(caught.value).endswith(f'; {words}')
    elsewhere = shutil.copy(run / 'checkpoint.pth.tar', tmp_path)
    with pytest.raises(UserError, match=r'; name its --model, --model_config and --dataset$'):
        open_with(elsewhere, *MODEL, '--dataset', 'fake:64:1x9x9:4')


def test_the_first_examples_of_a_seeded_order(run):
    whole = open_with(run).train.dataset
    few, more = (open_with(run, '--num-examples', num).train.dataset for num in ('10', '30'))
    other = open_with(run, '--num-examples', '10', '--seed', '5').train.dataset

    def places(dataset):
        rows = [whole.images.eq(image).flatten(1).all(1).nonzero().item() for image in dataset.images]
        assert rows == sorted(rows)
        return set(rows)

    assert len(places(few)) == 10
    assert places(few) < places(more)
    assert places(few) != places(other)
    assert open_with(run, '--num-examples', '1000').train.num_examples == 48
    # a limit is a condition of the splits that it leaves something out of
    for num, splits, limit in (
        ('20', ['train'], 20), ('20', ['val'], None), ('20', ['val', 'train'], 20), ('48', ['train'], None),
        ('15', ['test'], 15),
    ):  # fmt: skip
        assert open_with(run, '--num-examples', num).conditions_on(*splits)['num_examples'] == limit, (num, splits)


def test_training_images_are_augmented_on_demand_alone(run):
    plain, augmented, again = (open_with(run, *flags) for flags in ((), ('--augment',), ('--augment',)))
    inputs = [examples_of(network.train)[0] for network in (plain, augmented, again)]
    assert not torch.equal(inputs[0], inputs[1])
    assert torch.equal(inputs[1], inputs[2])
    assert not torch.equal(examples_of(open_with(run, '--augment', '--seed', '5').train)[0], inputs[1])
    assert augmented.train.transform.flip is False  # as in its run
    assert torch.equal(examples_of(plain.val)[0], examples_of(augmented.val)[0])


def test_files_from_elsewhere_are_refused_in_one_line(run, tmp_path, capsys):
    state = checkpoints.load_state(run / 'checkpoint.pth.tar')
    paths = {name: tmp_path / f'{name}.pth.tar' for name in ('good', 'code', 'number')}
    torch.save(state, paths['good'])
    torch.save({'state_dict': state, 'regime': print}, paths['code'])
    torch.save(3, paths['number'])
    for path, flags, words in (
        (paths['good'], MODEL, 'give --dataset'),
        (paths['good'], ('--model', 'resnet', *PLACE), 'another network'),
        (paths['code'], (*MODEL, *PLACE), 'could run code'),
        (paths['number'], (*MODEL, *PLACE), 'not a checkpoint'),
    ):
        assert evaluate.main(['-e', str(path), *flags, '--results_dir', str(tmp_path / 'out')]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and str(path) in lines[0] and words in lines[0], lines
    assert not (tmp_path / 'out').exists()


def test_published_flags_of_training_are_warned_about_once(run, tmp_path, capsys):
    useless = ('-mb', '3', '--lr_bb_fix', '--epochs', '3', '-p', '10')
    flags = ('-e', str(run), str(run / 'model_best.pth.tar'), '--gpus', '99', *useless)
    assert evaluate.main([*flags, '--results_dir', str(tmp_path / 'out')]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(set(lines)) == 5
    for word in ('-mb', '--lr_bb_fix', '--epochs', '-p', 'cuda:99'):
        assert sum(word in line for line in lines) == 1, lines
