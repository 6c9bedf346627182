"""Updates of a built experiment without its files, for tests that compare one way of computing with another."""

from bigbatch.training.trainer import clip_gradient
from utils.engine.experiment import build_experiment
from utils.engine.plan import Experiment

F1 = (
    '--dataset', 'digits', '--model', 'mnist_f1', '--model_config', "{'width': 32, 'depth': 3}", '--lr', '0.02',
    '--b', '64', '-mb', '16', '--device', 'cpu', '--seed', '7', '--epochs', '9', '--save', 'x',
)  # fmt: skip
CONVOLUTIONS = (
    '--dataset', 'digits', '--model', 'resnet', '--model_config', "{'depth': 8}", '--lr', '0.01',
    '--b', '32', '-mb', '16', '--device', 'cpu', '--seed', '7', '--epochs', '9', '--save', 'x',
)  # fmt: skip


def build(*flags: str) -> Experiment:
    from tests.config.test_flags import make_parser
    from utils.config.parse import parse_config

    return build_experiment(parse_config(make_parser(), list(flags)))


def losses_of(experiment: Experiment, num_steps: int = 20) -> list[float]:
    """Make updates as the trainer does and return the loss of each, the mean over its batch."""
    losses = []
    for epoch in range(experiment.num_epochs):
        experiment.model.train()
        experiment.optimizer.start_epoch(epoch)
        for batch in experiment.data.train.epoch(epoch):
            if len(losses) == num_steps:
                return losses
            experiment.optimizer.zero_grad()
            sums = experiment.estimator(experiment.model, experiment.criterion, batch, step=len(losses))
            experiment.optimizer.unscale()
            clip_gradient(experiment.optimizer.parameters, experiment.config.clip_grad)
            experiment.optimizer.step(len(losses))
            losses.append(sums.mean_loss().item())
    return losses
