from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import convolve, gaussian_filter
from scipy.special import gamma

from napari_nanoct.errors import UserError
from napari_nanoct.quality import NiqeModel, fit_pristine, niqe
from napari_nanoct.quality.naturalness import fit_aggd, halve, niqe_features
from napari_nanoct.quality.pristine import load_model, main, save_model


def picture(side: int = 288, seed: int = 0) -> np.ndarray:
    """Return a picture with the spectrum of natural ones, grey values about 0 to 255."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    spectrum = np.fft.fft2(rng.normal(size=(side, side))) / np.maximum(frequency, 1 / side)
    image = np.fft.ifft2(spectrum).real
    return 128 + 50 * image / image.std()


def aggd_by_definition(x: np.ndarray) -> tuple[float, float, float]:
    """Return the fit of one sample, as the authors' program does it: every exponent is tried."""
    exponents = np.arange(0.2, 10.0005, 0.001)
    table = gamma(2 / exponents) ** 2 / (gamma(1 / exponents) * gamma(3 / exponents))
    left, right = np.sqrt(np.mean(x[x < 0] ** 2)), np.sqrt(np.mean(x[x > 0] ** 2))
    g = left / right
    ratio = np.mean(np.abs(x)) ** 2 / np.mean(x**2) * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    a = exponents[np.argmin((table - ratio) ** 2)]
    return a, left * np.sqrt(gamma(1 / a) / gamma(3 / a)), right * np.sqrt(gamma(1 / a) / gamma(3 / a))


def features_by_definition(block: np.ndarray) -> list[float]:
    a, left, right = aggd_by_definition(block.ravel())
    features = [a, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a, left, right = aggd_by_definition((block * np.roll(block, shift, (0, 1))).ravel())
        features += [a, (right - left) * gamma(2 / a) / gamma(1 / a), left, right]
    return features


def test_features_equal_the_definition() -> None:
    image = picture(200)
    line = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(line, line) / line.sum() ** 2
    features, sharpness = niqe_features(image)
    cut = image[:192, :192]
    for scale, plane in ((1, cut), (2, halve(cut))):
        mean = convolve(plane, window, mode="nearest")
        deviation = np.sqrt(np.abs(convolve(plane**2, window, mode="nearest") - mean**2))
        normalised, n = (plane - mean) / (deviation + 1), 96 // scale
        blocks = [(slice(y, y + n), slice(x, x + n)) for y in (0, n) for x in (0, n)]
        expected = [features_by_definition(normalised[block]) for block in blocks]
        np.testing.assert_allclose(features[:, 18 * (scale - 1) : 18 * scale], expected, rtol=1e-9)
        if scale == 1:
            np.testing.assert_allclose(sharpness, [deviation[block].mean() for block in blocks])


def test_halving_is_bicubic_as_pillow_does_it() -> None:
    image = np.random.default_rng(0).uniform(0, 255, (64, 80)).astype(np.float32)
    expected = np.asarray(Image.fromarray(image).resize((40, 32), Image.Resampling.BICUBIC))
    # Pillow renormalises at the border where imresize mirrors.
    np.testing.assert_allclose(halve(image.astype(float))[3:-3, 3:-3], expected[3:-3, 3:-3], atol=1e-3)
    np.testing.assert_allclose(halve(np.full((8, 8), 7.0)), 7)


@pytest.mark.parametrize(("draw", "shape"), [("normal", 2.0), ("laplace", 1.0)])
def test_fit_finds_shape_and_scale_of_known_distributions(draw: str, shape: float) -> None:
    samples = getattr(np.random.default_rng(0), draw)(0, 3, (1, 400_000))
    scale = 3 * np.sqrt(2) if draw == "normal" else 3
    found, left, right = fit_aggd(samples)
    assert found[0] == pytest.approx(shape, rel=0.02)
    assert left[0] == pytest.approx(scale, rel=0.02)
    assert right[0] == pytest.approx(scale, rel=0.02)


def test_fit_finds_the_skew() -> None:
    rng = np.random.default_rng(1)
    # An asymmetric Gaussian draws each side in proportion to its width.
    samples = np.concatenate([-np.abs(rng.normal(0, 1, 100_000)), np.abs(rng.normal(0, 2, 200_000))])[None]
    shape, left, right = fit_aggd(samples)
    assert shape[0] == pytest.approx(2, rel=0.03)
    assert right[0] / left[0] == pytest.approx(2, rel=0.02)


def test_fit_of_nothing_is_nan() -> None:
    samples = np.array([[0.0, 0, 0, 0], [1, 2, 3, 4], [1, -1, np.nan, 2]])
    assert np.isnan(fit_aggd(samples)).all()


def test_a_natural_spectrum_is_nearer_than_noise_or_blur() -> None:
    image = picture()
    plain = niqe(image, 255)
    assert plain.blocks == 9
    assert plain.model == "napari-nanoct, natural pictures"
    noise = np.random.default_rng(1).normal(0, 40, image.shape)
    assert niqe(image + noise, 255).value > 2 * plain.value
    assert niqe(gaussian_filter(image, 3), 255).value > 2 * plain.value


def test_offset_does_not_matter_and_scale_follows_the_range() -> None:
    image = picture()
    value = niqe(image, 255).value
    assert niqe(image + 1000, 255).value == pytest.approx(value, rel=1e-6)
    assert niqe(image * 7, 7 * 255).value == pytest.approx(value, rel=1e-6)


def test_blocks_with_nan_or_outside_the_mask_are_left_out() -> None:
    image = picture()
    image[144, 144] = np.nan
    some = niqe(image, 255)
    # The filters reach from the block in the middle into none of its neighbours.
    assert some.blocks == 8
    mask = np.ones(image.shape, dtype=bool)
    mask[144, 144] = False
    assert niqe(picture(), 255, mask).value == some.value
    volume = np.stack([picture(), np.full((288, 288), np.nan)])
    assert niqe(volume, 255).value == pytest.approx(niqe(picture(), 255).value)


@pytest.mark.parametrize("image", [np.zeros((300, 300)), np.random.default_rng(0).normal(size=(180, 100))])
def test_too_little_to_see_gets_a_sentence(image: np.ndarray) -> None:
    with pytest.raises(UserError, match="two blocks of 96 x 96"):
        niqe(image, 1)
    with pytest.raises(UserError, match="no finite"):
        niqe(np.full((300, 300), np.nan))


def test_published_parameters_are_used_and_named(tmp_path: Path) -> None:
    own = load_model()
    published = {"mu_prisparam": own.mean[None] + 1, "cov_prisparam": own.covariance}
    savemat(tmp_path / "modelparameters.mat", published)
    np.savez(tmp_path / "niqe.npz", mu_pris_param=own.mean[None] + 1, cov_pris_param=own.covariance)
    image = picture()
    results = [niqe(image, 255, model=tmp_path / name) for name in ("modelparameters.mat", "niqe.npz")]
    assert [result.model for result in results] == ["modelparameters.mat", "niqe.npz"]
    assert results[0].value == results[1].value != niqe(image, 255).value


def test_a_file_that_is_no_model_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_model(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("text")
    (tmp_path / "text.mat").write_text("text")
    np.savez(tmp_path / "pickle.npz", mean=np.array([{}], dtype=object), covariance=np.eye(36))
    np.savez(tmp_path / "other.npz", x=np.eye(3))
    for name in ("text.npz", "text.mat", "pickle.npz", "other.npz"):
        with pytest.raises(UserError, match=f"{name} is not a NIQE model"):
            load_model(tmp_path / name)
    np.savez(tmp_path / "small.npz", mean=np.zeros(3), covariance=np.eye(3))
    with pytest.raises(UserError, match="3 features"):
        load_model(tmp_path / "small.npz")


def test_fit_takes_the_sharp_blocks() -> None:
    pictures = [picture(288, seed) for seed in range(8)]
    for image in pictures:
        image[:, :96] = gaussian_filter(image[:, :96], 3)
    model = fit_pristine(pictures, "mine")
    features = [niqe_features(image) for image in pictures]
    chosen = np.concatenate([rows[sharp > 0.75 * sharp.max()] for rows, sharp in features])
    assert 36 < len(chosen) <= 48
    np.testing.assert_allclose(model.mean, chosen.mean(axis=0))
    np.testing.assert_allclose(model.covariance, np.cov(chosen, rowvar=False))
    with pytest.raises(UserError, match="36 sharp blocks"):
        fit_pristine(pictures[:2], "few")


def test_the_command_fits_and_leaves_validation_pictures_out(tmp_path: Path) -> None:
    folder = tmp_path / "natural"
    folder.mkdir()
    names = [f"{number}.png" for number in range(1, 11)]
    for seed, name in enumerate(names[:-1]):
        Image.fromarray(np.clip(picture(192 + 96, seed), 0, 255).astype(np.uint8)).save(folder / name)
    # The tenth picture, for validation, is not even there.
    (folder / "index.csv").write_text("file,source\n" + "\n".join(f"{name},made" for name in names))
    assert main([str(folder), str(tmp_path / "model.npz")]) == 0
    assert load_model(tmp_path / "model.npz").mean.shape == (36,)
    assert main([]) == 2


def test_a_model_survives_its_file(tmp_path: Path) -> None:
    model = NiqeModel("mine", np.arange(36.0), np.eye(36))
    save_model(tmp_path / "model.npz", model)
    back = load_model(tmp_path / "model.npz")
    assert back.name == "mine"
    np.testing.assert_array_equal(back.mean, model.mean)
    np.testing.assert_array_equal(back.covariance, model.covariance)


def test_validation_pictures_are_near_the_shipped_model(shared_data: Path) -> None:
    rows = (shared_data / "natural" / "index.csv").read_text(encoding="utf-8").splitlines()[1:]
    names = [row.split(",")[0] for number, row in enumerate(rows, start=1) if number % 10 == 0]
    images = [np.asarray(Image.open(shared_data / "natural" / name).convert("L"), dtype=float) for name in names[:6]]
    values = [niqe(image, 255).value for image in images]
    assert np.mean(values) < 5
    blurred = [niqe(gaussian_filter(image, 2), 255).value for image in images]
    assert min(np.subtract(blurred, values)) > 0
