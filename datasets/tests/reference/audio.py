"""Writes audio.txt: spectra, mel spectra, MFCC and deltas as librosa and torchaudio compute them, of a short signal.

librosa 0.11.0, torchaudio 2.11.1 on torch 2.15.0, scipy, numpy 2.4.6:

    python audio.py > audio.txt
"""

import warnings

import librosa
import numpy as np
import scipy.signal
import torch
import torchaudio

warnings.simplefilter("ignore")
RATE, SAMPLES = 8000, 500


def line(name, array):
    array = np.asarray(array)
    print(f"{name} {'x'.join(map(str, array.shape))}:", *(f"{x:.8g}" for x in array.ravel()))


t = np.arange(SAMPLES)
signal = 0.5 * np.sin(0.05 * t + 0.0004 * t * t) + 0.2 * np.cos(1.9 * t) + 0.1 * np.random.default_rng(1).normal(size=SAMPLES)
signal = signal.astype("float32")
sound = torch.tensor(signal)
print("# audio.py beside this file has written this and names the versions. Arrays are [frames, features].")
line("signal", signal)
for shape in ["hann", "hamming", "blackman", "boxcar"]:
    line(f"periodic {shape}", scipy.signal.get_window(shape, 12))
    line(f"symmetric {shape}", scipy.signal.get_window(shape, 11, fftbins=False))
z = librosa.stft(signal, n_fft=64, hop_length=24)
line("librosa real", z.real.T)
line("librosa imaginary", z.imag.T)
z = torch.stft(sound, 64, 24, 48, torch.hann_window(48), return_complex=True)
line("torch real", z.real.T)
line("torch imaginary", z.imag.T)
z = torch.stft(sound, 63, 20, window=torch.hamming_window(63), center=False, return_complex=True)
line("torch odd real", z.real.T)
line("torch odd imaginary", z.imag.T)
line("mel slaney", librosa.filters.mel(sr=RATE, n_fft=128, n_mels=10).T)
line("mel slaney height", librosa.filters.mel(sr=RATE, n_fft=128, n_mels=10, norm=None, fmin=300, fmax=3000).T)
line("mel htk", torchaudio.functional.melscale_fbanks(65, 0.0, 4000.0, 10, RATE))
line("mel htk area", torchaudio.functional.melscale_fbanks(65, 200.0, 3500.0, 10, RATE, norm="slaney"))
options = {"n_fft": 128, "hop_length": 50, "n_mels": 20}
line("librosa mel", librosa.feature.melspectrogram(y=signal, sr=RATE, **options).T)
line("librosa db", librosa.power_to_db(librosa.feature.melspectrogram(y=signal, sr=RATE, **options)).T)
line("librosa mfcc", librosa.feature.mfcc(y=signal, sr=RATE, n_mfcc=13, **options).T)
line("librosa lifted", librosa.feature.mfcc(y=signal, sr=RATE, n_mfcc=13, lifter=22, **options).T)
line("torchaudio mel", torchaudio.transforms.MelSpectrogram(RATE, **options)(sound).T)
mfcc = torchaudio.transforms.MFCC(RATE, 13, melkwargs=options)(sound)
line("torchaudio mfcc", mfcc.T)
line("torchaudio deltas", torchaudio.functional.compute_deltas(mfcc, 5).T)
line("librosa deltas", librosa.feature.delta(mfcc.numpy(), width=9, mode="nearest").T)
