"""``python -m bulkrunner.sandbox``: serve the embedded Libris until stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.engine import SandboxOptions
from bulkrunner.sandbox.load import LoadError
from bulkrunner.sandbox.server import run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bulkrunner sandbox", description=__doc__)
    parser.add_argument("--test-port", type=int, default=0, help="port of the test environment")
    parser.add_argument("--production-port", type=int, default=0, help="port of production")
    parser.add_argument("--data", type=Path, help="folder that keeps the records; else in memory")
    parser.add_argument("--load", type=Path, help="records to start with instead of the seed")
    parser.add_argument("--write-config", type=Path, help="bulkrunner.toml to write")
    parser.add_argument("--seed", type=int, default=seed.DEFAULT_SEED)
    parser.add_argument("--bibs", type=int, default=seed.BIBS)
    parser.add_argument("--holdings", type=int, default=seed.HOLDINGS)
    parser.add_argument("--test-base-uri", help="base of the test environment's record IRIs")
    parser.add_argument("--production-base-uri", help="base of production's record IRIs")
    parser.add_argument("--token-lifetime", type=int, default=36000, help="seconds")
    parser.add_argument("--index-lag-ms", type=int, default=500)
    parser.add_argument("--duplicate-status", type=int, choices=(404, 409), default=404)
    parser.add_argument(
        "--time-zone",
        default="Europe/Stockholm",
        choices=("Europe/Stockholm", "UTC"),
        help="zone of the servers' clocks; in UTC their times end in Z",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments and serve."""
    given = _parser().parse_args(arguments)
    bases = {"test": given.test_base_uri, "production": given.production_base_uri}
    options = SandboxOptions(
        seed=given.seed,
        bibs=given.bibs,
        holdings=given.holdings,
        data=given.data,
        load=given.load,
        base_uris={kind: base for kind, base in bases.items() if base},
        duplicate_status=given.duplicate_status,
        token_lifetime=given.token_lifetime,
        index_lag_ms=given.index_lag_ms,
        time_zone=given.time_zone,
    )
    ports = {"test": given.test_port, "production": given.production_port}
    try:
        run(options, ports=ports, write_config=given.write_config)
    except (OSError, LoadError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
