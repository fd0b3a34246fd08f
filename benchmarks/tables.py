"""Gradus beside pandas, polars and scikit-learn on a table of a million rows and twenty columns.

    python3 benchmarks/tables.py
    python3 benchmarks/tables.py --rows 100000 --rounds 3 --work read

The table is drawn at random: fourteen numbers, of which some are missing, three columns of texts, a year, a date, and what is
to be predicted, which is "yes" in one row of ten. `read` reads the file into columns. `train` goes from the file to scores on a
fifth of the rows that were held out: numbers that are missing become the median and are scaled, texts become one-hot, the date
becomes days and the time of the year and of the week. Then a logistic regression (`linear`) or a network with a hidden layer of
32 units (`mlp`) is fitted: in scikit-learn by LogisticRegression, and by MLPClassifier with three epochs, batches of 256 and Adam;
in Gradus by Adam with batches of 256, for two and three epochs.

The peers run in rounds, each in its own process on the same two cores, so a slow spell of the machine meets all of them. The table
that is printed has medians, and their ratios to gradus.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NUMBERS = [f"x{column}" for column in range(14)]
TEXTS = ["city", "product", "channel"]


def write(path, rows):
    """The table, the same for every run."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(1)
    numbers = random.normal(size=(rows, len(NUMBERS))) * 10.0 ** (np.arange(len(NUMBERS)) % 4) + 3
    columns = {name: numbers[:, place].round(4) for place, name in enumerate(NUMBERS)}
    z = (numbers - 3) / 10.0 ** (np.arange(len(NUMBERS)) % 4)
    city = random.integers(0, 20, rows)
    product = random.integers(0, 12, rows)
    channel = random.integers(0, 3, rows)
    days = random.integers(0, 1500, rows)
    signal = z[:, :6] @ np.array([0.8, -0.6, 0.5, 0.4, -0.3, 0.2]) + 0.9 * z[:, 6] * z[:, 7]
    signal += np.linspace(-1, 1, 20)[city] + np.cos(product) * 0.5 + (channel == 2) * 0.7 + np.cos(days / 365.2425 * 6.2832) * 0.5
    bought = random.random(rows) < 1 / (1 + np.exp(-(signal - 3.3)))
    columns["city"] = np.array([f"City {i:02}" for i in range(20)])[city]
    columns["product"] = np.array(["chair", "table", "lamp", "sofa", "bed", "desk", "rug", "shelf", "stool", "mirror", "clock", "vase"])[product]
    columns["channel"] = np.array(["shop", "web", "phone"])[channel]
    columns["year"] = random.integers(2015, 2025, rows)
    columns["joined"] = np.datetime_as_string(np.datetime64("2020-01-01") + days)
    columns["bought"] = np.where(bought, "yes", "no")
    table = pd.DataFrame(columns)
    for place, name in enumerate(NUMBERS[::3] + ["city"]):
        table.loc[random.random(rows) < 0.02 * (place + 1), name] = None
    table.to_csv(path, index=False)


def train_sklearn(path, network):
    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, roc_auc_score
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    def dates(column):
        days = pd.to_datetime(column.iloc[:, 0]).to_numpy().astype("datetime64[D]").astype(float)
        year, week = days / 365.2425 * 2 * np.pi, (days + 3) / 7 * 2 * np.pi
        return np.stack([days, np.sin(year), np.cos(year), np.sin(week), np.cos(week)], axis=1)

    table = pd.read_csv(path)
    target = (table["bought"] == "yes").astype(int)
    train, test, of_train, of_test = train_test_split(
        table.drop(columns="bought"), target, test_size=0.2, random_state=42, stratify=target
    )
    prepare = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        ("texts", OneHotEncoder(handle_unknown="ignore"), [*TEXTS, "year"]),
        ("date", make_pipeline(FunctionTransformer(dates), StandardScaler()), ["joined"]),
    ])
    if network == "mlp":
        classifier = MLPClassifier((32,), batch_size=256, max_iter=3, n_iter_no_change=10, random_state=42)
    else:
        classifier = LogisticRegression()
    pipeline = make_pipeline(prepare, classifier).fit(train, of_train)
    probability = pipeline.predict_proba(test)[:, 1]
    return {"auc": roc_auc_score(of_test, probability), "accuracy": accuracy_score(of_test, probability > 0.5)}


def peer(name, path):
    """Does the work of a peer in this process, and prints a line of JSON."""
    import time
    import warnings

    warnings.filterwarnings("ignore")
    # What is loaded before the clock starts, as a compiled program has its code.
    if name == "polars":
        import polars  # noqa: F401
    else:
        import pandas  # noqa: F401
    if name.startswith("scikit-learn"):
        import sklearn.compose, sklearn.linear_model, sklearn.neural_network, sklearn.pipeline  # noqa: E401, F401
    start = time.perf_counter()
    if name.startswith("scikit-learn"):
        result = train_sklearn(path, name.split()[1])
        seconds = time.perf_counter() - start
    else:
        import pandas as pd
        read = {"pandas": lambda: pd.read_csv(path, engine="c"), "polars": lambda: __import__("polars").read_csv(path)}[name]
        table = read()
        seconds = time.perf_counter() - start
        city = table["city"].fillna("").str.len() if name == "pandas" else table["city"].fill_null("").str.len_bytes()
        result = {"rows": len(table), "sum": round(float(table["x0"].sum()), 3), "letters": int(city.sum())}
    print(json.dumps({"seconds": seconds, **result}))


def run(command):
    environment = {**os.environ, **{name: "2" for name in ["RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]}}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", nargs="+", choices=["read", "linear", "mlp"], default=["read", "linear", "mlp"])
    parser.add_argument("--python", default=str(HERE / ".venv/bin/python"), help="the interpreter of the Python peers")
    parser.add_argument("--file", help="where the table is, or is written; by default in the folder for temporary files")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.file or str(Path(tempfile.gettempdir()) / f"gradus_table_{options.rows}.csv")
    if options.peer == "write":
        return write(path, options.rows)
    if options.peer:
        return peer(options.peer, path)
    target = os.environ.get("CARGO_TARGET_DIR", str(HERE / "target"))
    manifest = ["--manifest-path", str(HERE / "gradus/Cargo.toml"), "--target-dir", target]
    subprocess.run(["cargo", "build", "--release", "--bin", "peer-gradus-table", *manifest], check=True)
    python = [options.python, __file__, "--file", path, "--rows", str(options.rows), "--peer"]
    if not Path(path).exists():
        subprocess.run([*python, "write"], check=True)
    gradus = f"{target}/release/peer-gradus-table"
    for work in options.work:
        if work == "read":
            peers = {"gradus": [gradus, "read", path], "polars": [*python, "polars"], "pandas, C engine": [*python, "pandas"]}
        else:
            peers = {"gradus": [gradus, "train", path, work], "scikit-learn": [*python, f"scikit-learn {work}"]}
        results = {name: [] for name in peers}
        for _ in range(options.rounds):
            for name, command in peers.items():
                results[name].append(run(command))
        medians = {name: statistics.median(result["seconds"] for result in of_peer) for name, of_peer in results.items()}
        print(f"\n{work}, {options.rows} rows\n")
        for name, seconds in medians.items():
            other = {key: value for key, value in results[name][0].items() if key != "seconds"}
            print(f"{name:20} {seconds:8.3f} s  {seconds / medians['gradus']:6.2f}  {other}")


if __name__ == "__main__":
    main()
