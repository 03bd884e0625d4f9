"""The optimizers' steps, as formulas: the new arrays of a formula's leading arguments, the variable's first, then its slots'.

Constants are integers: they leave the half types what they are. Roundings are TensorFlow's in these too, hence the order of
what a formula does, and why steps of chosen rows (`OF_ROWS`) are written otherwise in places.
"""

from __future__ import annotations

import numpy as np

from graphgrad.kernels._precision import halves_in_float32


def gradient_descent(var, alpha, delta):
    return (var - delta * alpha,)


def momentum(var, accum, lr, grad, momentum, *, use_nesterov):
    accum = accum * momentum + grad
    return var - (grad * lr + accum * momentum * lr if use_nesterov else accum * lr), accum


def keras_momentum(var, accum, lr, grad, momentum, *, use_nesterov):
    accum = accum * momentum - grad * lr
    return var + (accum * momentum - grad * lr if use_nesterov else accum), accum


def adagrad(var, accum, lr, grad, *, update_slots):
    accum = accum + grad * grad if update_slots else accum
    return var - grad * lr / np.sqrt(accum), accum


def adagrad_v2(var, accum, lr, epsilon, grad, *, update_slots):
    accum = accum + grad * grad if update_slots else accum
    return var - grad * lr / (np.sqrt(accum) + epsilon), accum


def adagrad_dual_averaging(var, accum, squares, grad, lr, l1, l2, global_step):
    step = global_step.astype(var.dtype)
    accum, squares = accum + grad, squares + grad * grad
    return -lr * shrink(accum, l1 * step) / (l2 * step * lr + np.sqrt(squares)), accum, squares


def adadelta(var, accum, accum_update, lr, rho, epsilon, grad):
    accum = accum * rho + grad * grad * (1 - rho)
    update = np.sqrt(accum_update + epsilon) / np.sqrt(accum + epsilon) * grad
    return var - update * lr, accum, accum_update * rho + update * update * (1 - rho)


def adam(var, m, v, beta1_power, beta2_power, lr, beta1, beta2, epsilon, grad, *, use_nesterov):
    rate = lr * np.sqrt(1 - beta2_power) / (1 - beta1_power)
    m, v = m + (grad - m) * (1 - beta1), v + (grad * grad - v) * (1 - beta2)
    mean = grad * (1 - beta1) + m * beta1 if use_nesterov else m
    return var - mean * rate / (np.sqrt(v) + epsilon), m, v


def adam_amsgrad(var, m, v, vhat, beta1_power, beta2_power, lr, beta1, beta2, epsilon, grad):
    rate = lr * np.sqrt(1 - beta2_power) / (1 - beta1_power)
    m, v = m + (grad - m) * (1 - beta1), v + (grad * grad - v) * (1 - beta2)
    vhat = largest(vhat, v)
    return var - m * rate / (np.sqrt(vhat) + epsilon), m, v, vhat


def largest(x, y):
    """x where one of both is NaN, which is how TensorFlow compares them."""
    found = np.maximum(x, y)
    return np.where(x < y, y, x) if np.isnan(found).any() else found


def ada_max(var, m, v, beta1_power, lr, beta1, beta2, epsilon, grad):
    m, v = m + (grad - m) * (1 - beta1), largest(v * beta2, np.abs(grad))
    return var - lr / (1 - beta1_power) * (m / (v + epsilon)), m, v


def rms_prop(var, ms, mom, lr, rho, momentum, epsilon, grad):
    ms = ms + (grad * grad - ms) * (1 - rho)
    mom = mom * momentum + grad * lr / np.sqrt(ms + epsilon)
    return var - mom, ms, mom


def centered_rms_prop(var, mg, ms, mom, lr, rho, momentum, epsilon, grad):
    ms, mg = ms + (grad * grad - ms) * (1 - rho), mg + (grad - mg) * (1 - rho)
    mom = mom * momentum + grad * lr / np.sqrt(ms - mg * mg + epsilon)
    return var - mom, mg, ms, mom


def rms_prop_of_rows(var, ms, mom, lr, rho, momentum, epsilon, grad):
    ms = ms * rho + grad * grad * (1 - rho)
    mom = mom * momentum + reciprocal_root(ms + epsilon) * lr * grad
    return var - mom, ms, mom


def centered_rms_prop_of_rows(var, mg, ms, mom, lr, rho, momentum, epsilon, grad):
    ms, mg = ms * rho + grad * grad * (1 - rho), mg * rho + grad * (1 - rho)
    mom = mom * momentum + reciprocal_root(ms + epsilon - mg * mg) * lr * grad
    return var - mom, mg, ms, mom


@halves_in_float32
def reciprocal_root(x):
    return 1 / np.sqrt(x)


def add_sign(var, m, lr, alpha, sign_decay, beta, grad):
    m = m * beta + grad * (1 - beta)
    return var - lr * (alpha + sign_decay * np.sign(grad) * np.sign(m)) * grad, m


def power_sign(var, m, lr, logbase, sign_decay, beta, grad):
    m = m * beta + grad * (1 - beta)
    return var - lr * np.exp(logbase * sign_decay * np.sign(grad) * np.sign(m)) * grad, m


def shrink(values, threshold):
    """Every value moved towards zero by the threshold, and no further."""
    return np.sign(values) * np.maximum(np.abs(values) - np.maximum(threshold, 0), 0)


def proximal_gradient_descent(var, alpha, l1, l2, grad):
    return (shrink(var - grad * alpha, alpha * l1) / (1 + l2 * alpha),)


def proximal_adagrad(var, accum, lr, l1, l2, grad):
    accum = accum + grad * grad
    rate = lr / np.sqrt(accum)
    return shrink(var - grad * rate, rate * l1) / (1 + l2 * rate), accum


def ftrl(var, accum, linear, grad, lr, l1, l2, lr_power, *, multiply_linear_by_lr):
    steps = ftrl_of_rows(var, accum, linear, grad, lr, l1, l2, lr_power, multiply_linear_by_lr=multiply_linear_by_lr)
    return zero_of_nan(*steps)


def ftrl_v2(var, accum, linear, grad, lr, l1, l2, l2_shrinkage, lr_power, *, multiply_linear_by_lr):
    numbers = (lr, l1, l2, l2_shrinkage, lr_power)
    return zero_of_nan(
        *ftrl_v2_of_rows(var, accum, linear, grad, *numbers, multiply_linear_by_lr=multiply_linear_by_lr)
    )


def zero_of_nan(var, accum, linear):
    """What cannot be compared with l1 counts as small."""
    unknown = np.isnan(linear)
    return np.where(unknown, linear.dtype.type(0), var) if unknown.any() else var, accum, linear


def ftrl_of_rows(var, accum, linear, grad, lr, l1, l2, lr_power, *, multiply_linear_by_lr):
    return ftrl_v2_of_rows(
        var, accum, linear, grad, lr, l1, l2, None, lr_power, multiply_linear_by_lr=multiply_linear_by_lr
    )


def ftrl_v2_of_rows(var, accum, linear, grad, lr, l1, l2, l2_shrinkage, lr_power, *, multiply_linear_by_lr):
    """With `multiply_linear_by_lr` the slot `linear`, and all it is compared with, is lr times as large."""
    unit, scale = (lr, 1) if multiply_linear_by_lr else (1, lr)
    new_accum = accum + grad * grad
    new_power, power = new_accum**-lr_power, accum**-lr_power
    shrunk = grad if l2_shrinkage is None else grad + 2 * l2_shrinkage * var
    linear = linear + shrunk * unit - (new_power - power) / scale * var
    quadratic = new_power / scale + 2 * l2 * unit
    return -shrink(linear, l1 * unit) / quadratic, new_accum, linear


OPTIMIZERS = {
    "AdaMax": ada_max,
    "Adadelta": adadelta,
    "Adagrad": adagrad,
    "AdagradDA": adagrad_dual_averaging,
    "AdagradV2": adagrad_v2,
    "Adam": adam,
    "AdamWithAmsgrad": adam_amsgrad,
    "AddSign": add_sign,
    "CenteredRMSProp": centered_rms_prop,
    "Ftrl": ftrl,
    "FtrlV2": ftrl_v2,
    "GradientDescent": gradient_descent,
    "KerasMomentum": keras_momentum,
    "Momentum": momentum,
    "PowerSign": power_sign,
    "ProximalAdagrad": proximal_adagrad,
    "ProximalGradientDescent": proximal_gradient_descent,
    "RMSProp": rms_prop,
}
OF_ROWS = OPTIMIZERS | {
    "CenteredRMSProp": centered_rms_prop_of_rows,
    "Ftrl": ftrl_of_rows,
    "FtrlV2": ftrl_v2_of_rows,
    "RMSProp": rms_prop_of_rows,
}
