"""Carries out a plan: skips what is done, goes on where it was cut off, starts the services a step needs, keeps the record."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lorewright import __version__, envs, process, services
from lorewright.errors import LorewrightError
from lorewright.locks import alone, locked
from lorewright.manifest import RECORD, Hashes, Manifest, digest, fingerprint, finish, link_to, other_choice, read_json, told
from lorewright.plan import ALONG, Step
from lorewright.progress import shown
from lorewright.rag.prune import prune
from lorewright.serving import turns
from lorewright.serving.gpu import stop_and_release
from lorewright.stages import Launch, Run, launch_service, make_artifact
from lorewright.stages.foretold import foretold

FORCED = ".forced"  # a forced step that was cut off goes on when it is forced again


@dataclass(frozen=True)
class Choice:
    """Which steps a command means.

    first: begin there, trusting what stands before. only: exactly these artifacts. force: make them again. services: start
    these and leave them running (serve, rag). tried: services that are started at the end to see that they come up, and ended again.
    anew: stop the recipe's services before, once all is there to start them.
    """

    first: str = ""
    only: tuple[str, ...] = ()
    force: bool = False
    services: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    anew: bool = False


def execute(run: Run, choice: Choice | None = None) -> Path:
    """Carries out the recipe's plan, or the chosen part of it. Returns the run's manifest.

    Raises LorewrightError; whatever was finished before stays finished.
    """
    choice = choice or Choice()
    for name in (choice.first, *choice.only):
        if name and run.plan.step(name).kind == "service":
            raise LorewrightError(
                f"{name} is a service, not a stage of a run", remedy=f"start it with ./lorewright {name} {shown(run.recipe.file)}"
            )
    with locked(run.paths):
        runner = _Runner(run, choice)
        try:
            runner.all()
        except KeyboardInterrupt:
            runner.manifest.end("interrupted")
            raise
        except BaseException as problem:
            runner.manifest.end("failed", error=str(problem))
            raise
        finally:
            runner.stop_started()
            runner.hashes.save()
        runner.manifest.end("finished")
        return runner.manifest.path


class _Runner:
    def __init__(self, run: Run, choice: Choice) -> None:
        self.run, self.choice = run, choice
        self.hashes = Hashes.open(run.paths.hashes)
        self.digests: dict[str, str] = {}
        self.prints: dict[str, str] = {}
        self.inputs: dict[str, dict[str, str]] = {}
        self.started: list[Path] = []
        self.manifest = Manifest(run.paths.manifests, run.recipe.resolved, [step.name for step in run.plan.steps], str(run.recipe.file))

    def all(self) -> None:
        skipping = bool(self.choice.first)
        for step in self._reached():
            skipping = skipping and step.name != self.choice.first
            if step.kind == "service":
                self._fingerprint(step)
                continue
            self._artifact(step, make=self._wanted(step) and not skipping)
        if self.choice.anew:
            self._stop_all()
        for name in self.choice.services:
            self._service(self.run.plan.step(name), keep=True)
        for name in self.choice.tried:
            self._service(self.run.plan.step(name), keep=False)

    def _reached(self) -> tuple[Step, ...]:
        """The plan up to the last stage that was asked for."""
        steps = self.run.plan.steps
        asked = [number for number, step in enumerate(steps) if step.name in self.choice.only or self._along(step)]
        return steps[: asked[-1] + 1] if asked else steps

    def _wanted(self, step: Step) -> bool:
        """Starting a service makes what it needs at once (an index), but never trains on the way."""
        if self.choice.services:
            chosen = [self.run.plan.step(name) for name in self.choice.services]
            return not step.needs and any(step.name in service.needs for service in chosen)
        return self._asked(step) or self._along(step)

    def _along(self, step: Step) -> bool:
        return step.name in {along for name in self.choice.only for along in ALONG.get(name, ())}

    def _asked(self, step: Step) -> bool:
        return step.name in self.choice.only if self.choice.only else True

    def _artifact(self, step: Step, *, make: bool) -> None:
        fingerprint = self._fingerprint(step)
        folder = self.run.paths.folder(step, fingerprint)
        if folder.exists() and not (make and self._forced(step)):
            record = read_json(folder / RECORD) or {}
            self._take(step, folder, record)
            self.manifest.step(step.name, action="skipped", fingerprint=fingerprint, **told(record))
            if make:
                self.run.console.stage(step.name, f"unchanged, skipped: {record.get('facts', {}).get('said', '')}")
        elif make and step.rides and not self._carried(step):
            self._leave_out(step)
        elif make:
            self._make(step, fingerprint, folder)
        else:
            self._take_latest(step)

    def _carried(self, step: Step) -> bool:
        """Whether the services that it needs run, as the recipe has them now."""
        wanted = [need for name in step.needs if (need := self.run.plan.step(name)).kind == "service"]
        facts = [services.running(self.run.paths.service(need)) for need in wanted]
        return all(fact and fact["fingerprint"] == self.prints[need.name] for fact, need in zip(facts, wanted, strict=True))

    def _leave_out(self, step: Step) -> None:
        """What a service would have to be started for that nobody else wanted."""
        wanted = next(name for name in step.needs if self.run.plan.step(name).kind == "service")
        recipe = shown(self.run.recipe.file)
        how = f"./lorewright {wanted} {recipe}, then ./lorewright {step.name.partition('_')[0]} {recipe}"
        self.run.console.stage(step.name, f"not looked at, for {wanted} does not run as the recipe has it now: {how}")
        self.manifest.step(step.name, action="left out")

    def _forced(self, step: Step) -> bool:
        return self.choice.force and self._asked(step)

    def _fingerprint(self, step: Step) -> str:
        if step.name not in self.prints:
            self.inputs[step.name] = self.hashes.inputs(step.texts, step.files)
            needs = {need: self.digests[need] for need in step.needs if need not in step.takes_up}
            key = envs.locate(step.environment).key
            self.prints[step.name] = fingerprint(step, key, self.inputs[step.name], needs)
        if step.kind == "service":
            self.digests[step.name] = self.prints[step.name]
        return self.prints[step.name]

    def _take(self, step: Step, folder: Path, record: dict[str, Any] | None) -> None:
        if not record:
            raise LorewrightError(
                f"the {step.name} folder has lost its {RECORD}", where=str(folder), remedy="remove the folder and run again"
            )
        self.digests[step.name] = record["digest"]
        self.run.done[step.name] = folder
        link_to(self.run.paths.latest(step), folder)

    def _take_latest(self, step: Step) -> None:
        """A step that was not asked for: what the newest run left is used as it is, and said to be older than the recipe."""
        latest = self.run.paths.latest(step)
        record = read_json(latest / RECORD)
        if record is None or other_choice(step, record):
            self.digests[step.name] = ""
            return
        made = time.strftime("%H:%M on %d %b", time.localtime((latest / RECORD).stat().st_mtime))
        how = f"{self.run.command} makes a new one"
        self.run.console.stage(step.name, f"the recipe or its inputs have changed since; the result of {made} is used ({how})")
        self._take(step, latest.resolve(), record)

    def _check_needs(self, step: Step) -> None:
        for need in step.needs:
            if self.run.plan.step(need).kind == "artifact" and need not in self.run.done:
                raise LorewrightError(
                    f"{step.name} needs {need}, which has not been run yet",
                    remedy=f"run it first: {self.run.command}",
                )

    def _make(self, step: Step, fingerprint: str, folder: Path) -> None:
        self._check_needs(step)
        for need in step.needs:
            if self.run.plan.step(need).kind == "service":
                self._service(self.run.plan.step(need), keep=False)
        if step.environment != "core":  # the one we run in
            envs.ensure(step.environment)
        with alone(folder) if step.collection or step.shared else contextlib.nullcontext():
            if folder.exists() and not self._forced(step):  # another recipe has made it while we waited
                self._take(step, folder, read_json(folder / RECORD))
            else:
                self._work(step, fingerprint, folder)
                if step.collection:
                    prune(self.run.paths, folder.parent)

    def _work(self, step: Step, fingerprint: str, folder: Path) -> None:
        partial = self.run.paths.partial(step, fingerprint)
        process.end_leftover(partial / process.RECORD)
        forced, begun_forced = self._forced(step), partial / FORCED
        self.run.fresh, self.run.afterwards = forced and not begun_forced.exists(), None
        if self.run.fresh and partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True, exist_ok=True)
        if forced:
            begun_forced.touch()
        self.run.work, self.run.inputs = partial, self.inputs[step.name]
        begun = time.monotonic()
        self.manifest.step(step.name, action="running", fingerprint=fingerprint)
        if step.name == "train":
            self.manifest.note(forecast=foretold(self.run))
        facts = make_artifact(step, self.run)
        seconds = round(time.monotonic() - begun, 2)
        record = self._record(step, fingerprint, partial, facts, seconds)
        begun_forced.unlink(missing_ok=True)
        finish(partial, folder, record)
        if self.run.afterwards:
            self.run.afterwards(folder)
        self._take(step, folder, record)
        self.manifest.step(step.name, action="made", seconds=seconds, facts=facts, **told(record))
        self.run.console.stage(step.name, str(facts["said"]), seconds)

    def _record(self, step: Step, fingerprint: str, partial: Path, facts: dict[str, Any], seconds: float) -> dict[str, Any]:
        outputs = self.hashes.outputs(partial, step.outputs)
        env = envs.locate(step.environment)
        return {
            "stage": step.name, "version": step.version, "fingerprint": fingerprint, "digest": digest(outputs), "outputs": outputs,
            "inputs": self.inputs[step.name], "needs": {need: self.digests[need] for need in step.needs},
            "part": step.part, "environment": f"{env.name}-{env.key}", "lorewright": __version__, "seconds": seconds, "facts": facts,
        }  # fmt: skip

    def _stop_all(self) -> None:
        """Ends the recipe's services, the proxy first. What could not be started again is left running."""
        for step in self.run.plan.steps:
            if step.kind == "service" and services.running(self.run.paths.service(step)):
                self._check_needs(step)
                self._launch(step)
        for step in reversed(self.run.plan.steps):
            if step.kind == "service" and stop_and_release(self.run.paths.service(step)):
                self.run.console.stage(step.name, f"stopped on port {step.part['port']}")

    def _service(self, step: Step, *, keep: bool) -> None:
        self._check_needs(step)
        if not services.running(self.run.paths.service(step)):  # told before the servers it needs have been waited for
            services.check_port(str(step.part["host"]), int(step.part["port"]))
        for need in step.needs:
            if self.run.plan.step(need).kind == "service":
                self._service(self.run.plan.step(need), keep=keep)
        fingerprint = self._fingerprint(step)
        record = self.run.paths.service(step)
        facts = services.running(record)
        if facts and facts["fingerprint"] == fingerprint:
            self._adopt(step, record, facts, keep)
            return
        if facts and facts.get("owner") and not process.owner_alive(facts):
            services.stop_service(record)  # a killed run's own service: nobody else wants it
        elif facts:
            raise LorewrightError(
                f"port {facts['port']} is held by {facts['name']} of recipe {facts['recipe']}, started with other settings",
                remedy=f"stop it with ./lorewright stop {facts['name']}",
            )
        self._start(step, fingerprint, record, keep)

    def _adopt(self, step: Step, record: Path, facts: dict[str, Any], keep: bool) -> None:
        """What runs already is used; a killed run's service becomes ours, so that it ends with us."""
        orphan = facts.get("owner") and not process.owner_alive(facts)
        if orphan or (keep and facts.get("owner")):
            services.hand_over(record, None if keep else process.myself())
            if not keep:
                self.started.append(record)
        launch = self._launch(step)
        with self.run.console.bar(step.name) as bar:
            services.wait_ready(facts, launch.ready, launch.timeout, bar, launch.reader)
        self.run.console.stage(step.name, f"already running on port {facts['port']}")
        self.manifest.step(step.name, action="found running", fingerprint=facts["fingerprint"])

    def _launch(self, step: Step) -> Launch:
        self.run.work = self.run.paths.folder(step, self._fingerprint(step))
        self.run.work.mkdir(parents=True, exist_ok=True)
        link_to(self.run.paths.latest(step), self.run.work)
        return launch_service(step, self.run)

    def _start(self, step: Step, fingerprint: str, record: Path, keep: bool) -> None:
        begun = time.monotonic()
        launch = self._launch(step)
        about = {
            "name": step.name,
            "recipe": self.run.recipe.name,
            "fingerprint": fingerprint,
            "host": step.part["host"],
            "port": step.part["port"],
        }
        if not keep:
            self.started.append(record)
        with turns.cards(launch.cards, turns.Asker(f"{step.name} of {self.run.recipe.name}", record), self.run) as held:
            facts = services.start_service(
                record, launch.command, environment=launch.environment, log=self.run.paths.log(step.name),
                facts=about | {"owner": None if keep else process.myself()}, handles=held,
            )  # fmt: skip
        try:
            with self.run.console.bar(step.name) as bar:
                services.wait_ready(facts, launch.ready, launch.timeout, bar, launch.reader)
        except BaseException:
            services.stop_service(record)
            raise
        seconds = round(time.monotonic() - begun, 1)
        self.manifest.step(step.name, action="started", fingerprint=fingerprint, seconds=seconds)
        self.run.console.stage(step.name, f"answers on http://{step.part['host']}:{step.part['port']}", seconds)

    def stop_started(self) -> None:
        """Ends the services that this run started for itself, the last first."""
        for record in reversed(self.started):
            services.stop_service(record)
        self.started.clear()
