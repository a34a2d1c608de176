"""The option `--config FILE` that every command has, and the settings and contract that it leads to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consumer.cli.exits import NotPossibleError
from consumer.contract_file import ContractError, load_contract
from consumer.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from consumer.core.contract import Contract

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file; without it sluice.toml of the current folder, if there is one. SLUICE_* variables win over it.",
)


def settings_of(config: Path | None) -> Settings:
    """The settings of the file and the process's variables. Raises `NotPossibleError` with the one sentence."""
    try:
        return load_settings(config, os.environ)
    except SettingsError as error:
        raise NotPossibleError(str(error)) from None


def contract_of(settings: Settings) -> Contract:
    """The contract that the settings name. Raises `NotPossibleError` with the one sentence."""
    try:
        return load_contract(Path(settings.contract.path) if settings.contract.path else None)
    except ContractError as error:
        raise NotPossibleError(str(error)) from None
