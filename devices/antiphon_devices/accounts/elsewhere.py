"""Accounts at a broker that is not ours to start."""

from __future__ import annotations

import logging
from pathlib import Path

from antiphon_devices.accounts.book import Book
from antiphon_devices.accounts.dynsec import Control, DynsecKeeper
from antiphon_devices.accounts.files import FileKeeper, kept_url, signal_by_pid_file
from antiphon_devices.accounts.keeper import Keeper
from antiphon_devices.accounts.passwords import hashed
from antiphon_devices.accounts.rights import ENROL_ACCOUNT, EVERYTHING, Rights, of_newcomer
from antiphon_devices.settings import BrokerAddress, MqttSettings


async def keeper_elsewhere(
    settings: MqttSettings,
    address: BrokerAddress,
    enrol_file: Path,
    book: Book,
    control: Control,
    log: logging.Logger,
) -> Keeper | None:
    """Who keeps the accounts as the settings want it; None where others do.

    The URL with which newcomers ask for an account is kept in `enrol_file`.
    """
    way = settings.account_way
    if way == "managed":
        return None
    newcomers = None
    if settings.enrolment:
        password = kept_url(enrol_file, ENROL_ACCOUNT, address.shown)
        newcomers = (ENROL_ACCOUNT, password, of_newcomer(settings.root))
    if way == "dynsec":
        fixed = () if newcomers is None else (ENROL_ACCOUNT,)
        parts = (control, settings.root, book, fixed, log)
        return DynsecKeeper(*parts, server=address.username, newcomers=newcomers)
    return await _files(settings, address, newcomers, book, log)


async def _files(
    settings: MqttSettings,
    address: BrokerAddress,
    newcomers: tuple[str, str, Rights] | None,
    book: Book,
    log: logging.Logger,
) -> Keeper:
    fixed: dict[str, tuple[str, Rights]] = {}
    if address.username is not None and address.password is not None:
        fixed[address.username] = (hashed(address.password.get_secret_value()), EVERYTHING)
    if newcomers is not None:
        name, password, rights = newcomers
        fixed[name] = (hashed(password), rights)

    def reload() -> None:
        if settings.broker_pid_file is not None:
            signal_by_pid_file(settings.broker_pid_file, log)

    if settings.accounts_dir is None:
        raise AssertionError("the settings were checked")
    keeper = FileKeeper(settings.accounts_dir, settings.root, book, fixed, reload)
    # Before the first log-in, which may be by an account that the broker does not know yet.
    keeper.write(await book.all())
    reload()
    return keeper
