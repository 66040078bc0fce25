"""Finds runs of tg and their tables, for notebooks. It reads only the Parquet of collected runs.

    import tgdata
    run = tgdata.run("latest")
    run.tables()           # names
    run.table("queries")   # a polars DataFrame
"""

import json
import os
from pathlib import Path

import polars as pl


def home() -> Path:
    """The folder where tg keeps runs: TG_HOME, else $XDG_DATA_HOME/tg, else ~/.local/share/tg."""
    if os.environ.get("TG_HOME"):
        return Path(os.environ["TG_HOME"])
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "tg"


def runs() -> list[str]:
    """The ids of all collected runs, the oldest first (an id begins with its time)."""
    return sorted(path.parent.parent.name for path in (home() / "runs").glob("*/dataset/_dataset.json"))


def run(name: str | None = None) -> "Run":
    """A run by its id, a unique beginning of it, `latest`, or the path of a dataset.

    Without a name it is the one that the environment variable TG_RUN names, else the latest.
    """
    name = name or os.environ.get("TG_RUN") or "latest"
    if (Path(name) / "_dataset.json").is_file():
        return Run(Path(name))
    ids = runs()
    found = ids[-1:] if name == "latest" else [one for one in ids if one.startswith(name)]
    if name in found:
        found = [name]
    if len(found) != 1:
        what = "no collected run" if not found else f"{len(found)} collected runs"
        raise LookupError(f"{what} for `{name}` in `{home() / 'runs'}`: `tg runs list` tells which there are")
    return Run(home() / "runs" / found[0] / "dataset")


class Run:
    """The dataset of one run."""

    def __init__(self, folder: Path):
        self.folder = folder
        with open(folder / "_dataset.json", encoding="utf-8") as file:
            self.facts = json.load(file)
        if self.facts["format"]["major"] != 1:
            raise ValueError(f"`{folder}` has format {self.facts['format']}; this reads major version 1")
        self.id = self.facts["run"]

    def __repr__(self) -> str:
        return f"Run({self.id})"

    def tables(self) -> list[str]:
        """The names of its tables."""
        return sorted(path.name for path in self.folder.iterdir() if any(path.glob("*.parquet")))

    def files(self, name: str) -> str:
        """The Parquet files of a table as a pattern, for other readers."""
        return str(self.folder / name / "*.parquet")

    def has(self, name: str) -> bool:
        return name in self.tables()

    def table(self, name: str) -> pl.DataFrame:
        """One table; an error that names the others if there is none."""
        if not self.has(name):
            raise LookupError(f"run {self.id} has no table `{name}`; it has {', '.join(self.tables())}")
        return pl.read_parquet(self.files(name))

    def groups(self) -> pl.DataFrame:
        """Instance, group and role, to join with any table that has `instance`."""
        return self.table("instances").select("instance", "group", "role")

    def peers(self) -> pl.DataFrame:
        """Of every peer: its number, its short name and the instance that it is."""
        named = self.table("instances").select(
            "instance", pl.format("{}/{}", "group", "group_seq").alias("name")
        )
        peers = self.table("peers").select("peer_idx", "peer_id", "instance")
        foreign = pl.col("peer_id").str.slice(-6)
        return peers.join(named, on="instance", how="left").with_columns(pl.col("name").fill_null(foreign))


def ecdf(values: pl.Series) -> tuple[list[float], list[float]]:
    """The empirical distribution: values, and the share that is not larger."""
    values = values.drop_nulls().sort()
    n = len(values)
    return values.to_list(), [(i + 1) / n for i in range(n)]
