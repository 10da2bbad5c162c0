"""Tuning a weak model on preferences: TRL's DPO trainer makes a LoRA adapter (PEFT), which `log_ratio` scores with."""

from __future__ import annotations

import hashlib
import json
import math
import random
import shutil
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback, set_seed
from trl import DPOConfig, DPOTrainer

from scoring.averaging import TUNING, write_mean
from scoring.backbone import Backbone, Reader, common_prefix, load_backbone
from scoring.base import Candidate, Report
from scoring.embedded import EMBEDDED
from scoring.errors import BadPreferences, TuningFailed
from scoring.preferences import Preference, read_preferences, read_text, write_whole
from scoring.settings import TuneSettings, WeakSettings


def tune(preferences: Path, target: Path, weak: WeakSettings, settings: TuneSettings, report: Report) -> dict[str, Any]:
    """Write an adapter on `weak.reference` to the folder `target`, with `tuning.json`: settings, data, TRL's log.

    It is the mean of `settings.members` adapters, each trained from the reference on its own share of the pairs. A
    tuning that was killed goes on from its last checkpoint when called again. Raises BadPreferences, TuningFailed and
    WeakModelMissing before anything is written; returns what `tuning.json` holds.
    """
    told = _told(preferences, weak, settings)
    begun = _begun(target, told)
    if begun:  # in the number format that it was begun in, which may have been measured
        weak = weak.model_copy(update={"number_format": begun["number_format"]})
    rows, number_format = _rows(preferences, weak, settings)
    weak = weak.model_copy(update={"number_format": number_format})
    told |= {"number_format": number_format, "pairs": len(rows), "versions": _versions()}
    checkpoints = target / _CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_whole(checkpoints / TUNING, _json(told))
    random.Random(settings.seed).shuffle(rows)
    shares = [rows[member :: settings.members] for member in range(settings.members)]
    folders = [checkpoints / f"member-{member}" for member in range(settings.members)]
    steps = [_steps(len(share), settings) for share in shares]
    done = [steps[member] if (folder / _LOG).is_file() else 0 for member, folder in enumerate(folders)]
    report(sum(done), sum(steps), None)
    for member, folder in enumerate(folders):
        if not done[member]:
            own = settings.model_copy(update={"seed": (settings.seed + member) % 2**32})
            _train(shares[member], weak, own, folder, _within(report, sum(steps[:member]), sum(steps)))
    base = "SmolLM2-135M-Instruct" if weak.reference == EMBEDDED else None  # not a path of this machine
    write_mean(folders, target, settings.mean_rank or settings.rank, base=base)
    told["log"] = [
        {"member": member} | entry
        for member, folder in enumerate(folders)
        for entry in json.loads((folder / _LOG).read_text(encoding="utf-8"))
    ]
    write_whole(target / TUNING, _json(told))  # last: it says that the adapter is finished
    shutil.rmtree(checkpoints)
    return told


_CHECKPOINTS = "checkpoints"
_LOG = "log.json"


class _TokenPairs(DPOTrainer):
    """TRL would append EOS to every text; some of ours were cut by length, and our reader has seen to the others."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset


class _Reporting(TrainerCallback):
    def __init__(self, report: Report) -> None:
        self._report = report

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        told = [entry["loss"] for entry in state.log_history if "loss" in entry]
        self._report(state.global_step, state.max_steps, told[-1] if told else None)


def _json(told: Any) -> str:
    return json.dumps(told, indent=1) + "\n"


def _told(preferences: Path, weak: WeakSettings, settings: TuneSettings) -> dict[str, Any]:
    """All that shapes an adapter."""
    return {
        "reference": weak.reference,
        "template": weak.template,
        "eos": weak.eos,
        "preferences_sha256": hashlib.sha256(read_text(preferences).encode()).hexdigest(),
        "settings": settings.model_dump(mode="json"),
    }


def _begun(target: Path, told: dict[str, Any]) -> dict[str, Any] | None:
    """What a folder says of this very tuning, unfinished; none where it is new or empty. Raises TuningFailed."""
    if (target / TUNING).exists():
        raise TuningFailed("holds an adapter already", where=f"folder {target}", mend="Give another folder with -o")
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    note = target / _CHECKPOINTS / TUNING
    if not note.is_file():
        raise TuningFailed("holds something else", where=f"folder {target}", mend="Give another folder with -o")
    begun: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    if {key: begun.get(key) for key in told} != told:
        raise TuningFailed(
            "holds an unfinished tuning with other preferences or settings",
            where=f"folder {target}",
            mend="Go on with those, give another folder with -o, or delete it",
        )
    return begun


def _rows(preferences: Path, weak: WeakSettings, settings: TuneSettings) -> tuple[list[dict[str, list[int]]], str]:
    """What TRL trains on, and the number format to train in. Raises BadPreferences and TuningFailed."""
    pairs = read_preferences(preferences)
    if len(pairs) < settings.members:
        raise BadPreferences(
            f"fewer than members = {settings.members}",
            where=f"{preferences}: {len(pairs)} pairs",
            mend="Set members lower: each is trained on its share of them",
        )
    backbone = load_backbone(weak)
    _check_modules(backbone.model, settings.modules)
    most = min(settings.max_tokens, backbone.context)
    rows = [_row(pair, backbone.reader, most, f"{preferences}, line {n}") for n, pair in pairs]
    return rows, backbone.number_format


def _within(report: Report, before: int, total: int) -> Report:
    """For a member, whose steps are some of all."""
    return lambda done, _, loss: report(before + done, total, loss)


def _steps(pairs: int, settings: TuneSettings) -> int:
    return math.ceil(math.ceil(pairs / settings.batch) * settings.epochs)


def _train(
    rows: Sequence[dict[str, list[int]]], weak: WeakSettings, settings: TuneSettings, folder: Path, report: Report
) -> None:
    """Train one member in its folder, from its last checkpoint where it has one; leave its adapter and log there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TRL's and PEFT's use of transformers
        trainer = _trainer(load_backbone(weak), rows, settings, folder, report)
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    model: Any = trainer.model
    if not all(parameter.isfinite().all() for parameter in model.parameters() if parameter.requires_grad):
        raise TuningFailed("it diverged", where=f"folder {folder}", mend="Lower learning_rate, and begin anew")
    if not any(parameter.any() for name, parameter in model.named_parameters() if _ADDED in name):
        raise TuningFailed(
            "the adapter changes nothing", where=f"folder {folder}",
            mend="Give more preferences, or raise epochs or learning_rate, and begin anew",
        )  # fmt: skip
    model.save_pretrained(folder, save_embedding_layers=False)
    write_whole(folder / _LOG, _json(trainer.state.log_history))  # last: it says that the member is finished
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


_ADDED = ".lora_B."
"""In the names of the matrices that are 0 at first, and the change that an adapter makes with them."""


def _last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint; one that a kill cut short lacks its state, which is written last."""
    by_step = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for checkpoint in reversed(by_step):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
            return str(checkpoint)
        except (OSError, ValueError):
            shutil.rmtree(checkpoint)
    return None


def _check_modules(model: Any, wanted: Sequence[str]) -> None:
    linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    if missing := sorted(set(wanted) - linear - {_ALL}):
        raise TuningFailed(
            "the reference has no such projection", where=f"modules: {', '.join(missing)}",
            mend=f"Name some of {', '.join(sorted(linear))}, or {_ALL}",
        )  # fmt: skip


_ALL = "all-linear"


def _row(pair: Preference, reader: Reader, most: int, where: str) -> dict[str, list[int]]:
    """Token ids as TRL's collator takes them. Where the two texts merge differently with the prompt's last token, both
    begin before it: TRL knows one prompt of a pair.
    """
    chosen = reader.row(Candidate(pair.prompt, pair.chosen, pair.chosen_complete))
    rejected = reader.row(Candidate(pair.prompt, pair.rejected, pair.rejected_complete))
    for name, row in (("chosen", chosen), ("rejected", rejected)):
        if len(row.ids) > most:
            raise BadPreferences(
                f"prompt and {name} have {len(row.ids)} tokens, more than {most}",
                where=where,
                mend="Shorten it, or set max_tokens higher where the model can",
            )
    if chosen.ids == rejected.ids:
        raise BadPreferences("chosen and rejected are equal to the weak model", where=where, mend="Leave the pair out")
    start = min(chosen.start, rejected.start, common_prefix(chosen.ids, rejected.ids))
    return {
        "prompt_ids": chosen.ids[:start],
        "chosen_ids": chosen.ids[start:],
        "rejected_ids": rejected.ids[start:],
    }


def _trainer(
    backbone: Backbone, rows: Sequence[dict[str, list[int]]], settings: TuneSettings, folder: Path, report: Report
) -> DPOTrainer:
    set_seed(settings.seed)
    likelihood = settings.likelihood
    arguments = DPOConfig(
        output_dir=str(folder), seed=settings.seed, num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch, learning_rate=settings.learning_rate, beta=settings.beta,
        loss_type=[settings.loss, "sft"] if likelihood else [settings.loss],
        loss_weights=[1.0, likelihood] if likelihood else [1.0],
        lr_scheduler_type="cosine", warmup_steps=min(10, _steps(len(rows), settings) // 10), logging_steps=10,
        save_strategy="steps", save_steps=settings.checkpoint_every, save_total_limit=1,
        precompute_ref_log_probs=True,  # in one go before the first step: about half the time of both together
        max_length=None, gradient_checkpointing=False, use_cpu=backbone.device.type == "cpu", bf16=False,
        remove_unused_columns=False, report_to="none", disable_tqdm=True,
    )  # fmt: skip
    arguments._n_gpu = min(arguments.n_gpu, 1)  # TRL refuses DataParallel
    modules: Any = _ALL if _ALL in settings.modules else list(settings.modules)
    lora = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules=modules, task_type="CAUSAL_LM")
    trainer = _TokenPairs(
        model=backbone.model.train(), args=arguments, train_dataset=Dataset.from_list(list(rows)),
        processing_class=backbone.reader.tokenizer, peft_config=lora,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Reporting(report))
    return trainer


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "transformers", "trl", "peft")}
