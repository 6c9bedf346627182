from bigbatch import scaling as scaling
from bigbatch.analysis.hessian import Trace as Trace
from bigbatch.analysis.hessian import hessian_trace as hessian_trace
from bigbatch.analysis.hessian import top_eigenvalues as top_eigenvalues
from bigbatch.analysis.landscape import loss_line as loss_line
from bigbatch.analysis.objective import NetworkObjective as NetworkObjective
from bigbatch.analysis.objective import network_objective as network_objective
from bigbatch.analysis.sharpness import SharpnessResult as SharpnessResult
from bigbatch.analysis.sharpness import epsilon_sharpness as epsilon_sharpness
from bigbatch.analysis.steps import StepsFit as StepsFit
from bigbatch.analysis.steps import fit_steps as fit_steps
from bigbatch.layers.conversion import convert_ghost_batch_norm as convert_ghost_batch_norm
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm1d as GhostBatchNorm1d
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm2d as GhostBatchNorm2d
from bigbatch.layers.ghost_batch_norm import GhostBatchNorm3d as GhostBatchNorm3d
from bigbatch.noise_scale import NoiseScale as NoiseScale
from bigbatch.regime import Regime as Regime
from bigbatch.training.perturbation import smoothout as smoothout
from bigbatch.weights import weight_distance as weight_distance

__version__: str
