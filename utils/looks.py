"""How curves look and what axes are called, the same on pages and in figures.

Colours: Okabe and Ito 2008, "Color Universal Design", without their yellow, which is too pale for a line on white.
"""

COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
DASHES = ('solid', 'dashed', 'dotted', 'dotdash')
TITLES = {  # column of results.csv -> title, label of the y axis
    'val_error1': ('Validation error@1', 'error@1 (%)'),
    'train_error1': ('Training error@1', 'error@1 (%)'),
    'val_error5': ('Validation error@5', 'error@5 (%)'),
    'train_error5': ('Training error@5', 'error@5 (%)'),
    'val_loss': ('Validation loss', 'loss per example'),
    'train_loss': ('Training loss', 'loss per example'),
    'averaged_val_error1': ('Validation error@1 of the averaged weights', 'error@1 (%)'),
    'averaged_val_error5': ('Validation error@5 of the averaged weights', 'error@5 (%)'),
    'averaged_val_loss': ('Validation loss of the averaged weights', 'loss per example'),
    'lr': ('Learning rate', 'learning rate per update'),
    'grad_norm': ('Gradient norm', 'L2 norm, mean of the epoch'),
    'noise_scale': ('Gradient noise scale', 'examples'),
    'gradient_norm2': ('Squared norm of the mean gradient', 'L2 norm squared, without bias'),
    'gradient_variance': ('Variance of the gradient of an example', 'trace of the covariance'),
    'weight_distance': ('Distance from the initial weights', 'L2 distance'),
    'epoch_seconds': ('Time of an epoch', 'seconds'),
    'images_per_second': ('Speed', 'images per second'),
}
X_LABELS = {'epoch': 'epochs', 'step': 'updates', 'seconds': 'training time (s)'}
LOG_X_FACTOR = 4.0  # longest curve over shortest, from which on a log x axis shows both
