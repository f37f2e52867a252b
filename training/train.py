"""Train the demo model: `python training/train.py`. What comes out is decided by the seed and the numbers of steps.

First the tower alone learns to see: a head on the projected patches says what lies under each of them (kind, colour, size,
digit, which from the left). Then the text model learns to answer from what a tower at rest tells it. In the end both learn
together; the head goes on with less weight and is thrown away. A step takes pictures of one tile count, encodes each once
and asks four questions about it in random languages. The weights that are kept are a running average.

Matrices of layers are trained by Muon, which needs far fewer steps than AdamW here; the rest (tables, norms, gates, the
head) by AdamW.
"""

import argparse
import copy
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from model import PATCH, RATIOS, SIDE, TILE, make_config, make_model, text_forward, vision_forward, zero_unused_slots
from pictures import canvas, tiles_of
from scenes import QUESTION_KINDS, ask, ask_without_picture, make_scene, random_language
from texts import COLOURS, KINDS
from tokenizer import build, save

HERE = os.path.dirname(os.path.abspath(__file__))
QUESTIONS_EACH = 4
WEIGHT_OF_KIND = dict(zip(QUESTION_KINDS, (2.0, 1.0, 1.0, 1.0, 1.3, 1.3, 1.5, 3.0), strict=True))


class Prompts:
    """Token ids of a turn in the checkpoint's own chat template."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        special = tokenizer.token_to_id
        plain = lambda text: tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
        self.eot, self.image, self.pad = special("<|eot_id|>"), special("<|image|>"), special("<|finetune_right_pad_id|>")
        header = lambda role: [special("<|start_header_id|>"), *plain(role), special("<|end_header_id|>"), *plain("\n\n")]  # noqa: E731
        self.user, self.assistant = header("user"), header("assistant")
        self.bos = special("<|begin_of_text|>")
        self.plain = plain
        self.before = 1 + len(self.user)

    def turn(self, question, answer, image=True, first=True):
        """→ (ids, targets): targets are -100 but for the answer and its end."""
        ids = [*([self.bos] if first else []), *self.user, *([self.image] if image else []), *self.plain(question)]
        ids += [self.eot, *self.assistant]
        reply = [*self.plain(answer), self.eot]
        return ids + reply, [-100] * len(ids) + reply


def draw_size(rng, tiles):
    """A picture size that the processor puts on `tiles` tiles."""
    while True:
        if tiles == 1:
            side = rng.integers(56, TILE + 1)
            width, height = (side, side) if rng.random() < 0.7 else (side, int(side * rng.uniform(0.7, 1)))
            if rng.random() < 0.5:
                width = height = TILE
        elif tiles == 4 and rng.random() < 0.8:
            side = rng.integers(TILE + 1, 2 * TILE + 1) if rng.random() < 0.6 else rng.integers(150, 420)
            width, height = (side, side) if rng.random() < 0.5 else (side, int(side * rng.uniform(0.6, 1)))
            if rng.random() < 0.5:
                width, height = height, width
        else:
            long = tiles * rng.uniform(0.75, 1.05)
            scale = rng.uniform(0.7, 1.0) if rng.random() < 0.7 else rng.uniform(1.0, 4.0)
            width, height = int(long * TILE * scale), int(TILE * scale)
            if rng.random() < 0.5:
                width, height = height, width
        rows, columns = canvas(width, height)
        if rows * columns == tiles:
            return int(width), int(height)


def patch_labels(scene, scale, ratio_id):
    """What lies under each patch's centre: [tiles·SIDE², 5] of kind, colour, size, digit, place from the left; 0 is nothing."""
    rows, columns = RATIOS[ratio_id - 1]
    y, x = np.mgrid[0 : rows * SIDE, 0 : columns * SIDE]
    px, py = (x + 0.5) * PATCH / scale[0], (y + 0.5) * PATCH / scale[1]
    labels = np.zeros((rows * SIDE, columns * SIDE, 5), np.int64)
    for place, shape in enumerate(scene.shapes):
        inside = np.hypot(px - shape.x, py - shape.y) < shape.radius + 0.3 * PATCH / scale[0]
        labels[inside, 0] = 1 + KINDS.index(shape.kind)
        labels[inside, 1] = 1 + COLOURS.index(shape.colour)
        labels[inside, 2] = 1 + int(shape.is_large)
        labels[inside, 4] = 1 + place
    for place, (digit, left, top, right, bottom) in enumerate(scene.digit_boxes):
        inside = (px >= left) & (px < right) & (py >= top - 2) & (py < bottom + 2)
        labels[inside, 3] = 1 + digit
        labels[inside, 4] = 1 + place
    return labels.reshape(rows, SIDE, columns, SIDE, 5).transpose(0, 2, 1, 3, 4).reshape(-1, 5)


def make_batch(rng, prompts, tiles, size, questions=QUESTIONS_EACH, follow_up=False):
    """Pictures with their questions, each `follow_up` by another of its kind; pads to the longest row."""
    patches, ratios, labels, rows, of_kind = [], [], [], [], []
    weights = np.array([WEIGHT_OF_KIND[kind] for kind in QUESTION_KINDS])
    while len(patches) < size:
        scene = make_scene(rng, *draw_size(rng, tiles), number_share=0.3)
        turns = []
        for _ in range(40):
            if len(turns) == questions:
                break
            kind = QUESTION_KINDS[rng.choice(len(QUESTION_KINDS), p=weights / weights.sum())]
            pair = ask(rng, scene, kind, random_language(rng))
            if pair:
                row = prompts.turn(*pair)
                if follow_up:
                    second = ask(rng, scene, kind, random_language(rng))
                    if second:
                        more = prompts.turn(*second, image=False, first=False)
                        row = (row[0] + more[0], row[1] + more[1])
                turns.append((row, kind))
        if len(turns) < questions:
            continue  # this scene leaves too much open
        found, ratio, scale = tiles_of(scene.image)
        patches.append(found)
        ratios.append(ratio)
        labels.append(patch_labels(scene, scale, ratio))
        rows += [row for row, _ in turns]
        of_kind += [kind for _, kind in turns]
    ids, targets = pad_rows(rows, prompts.pad) if rows else (None, None)
    return torch.from_numpy(np.stack(patches)), torch.tensor(ratios), torch.from_numpy(np.stack(labels)), ids, targets, of_kind


def pad_rows(rows, pad):
    length = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([r[0] + [pad] * (length - len(r[0])) for r in rows])
    targets = torch.tensor([r[1] + [-100] * (length - len(r[1])) for r in rows])
    return ids, targets


class PatchHead(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.sizes = (4, 7, 3, 11, 5)
        self.out = torch.nn.Linear(width, sum(self.sizes))

    def forward(self, tokens, labels, tiles):
        b = tokens.shape[0]
        per_patch = tokens.view(b, tiles, -1, tokens.shape[-1])[:, :, 1:].reshape(-1, tokens.shape[-1])
        parts = self.out(per_patch).float().split(self.sizes, -1)
        labels = labels.reshape(-1, len(self.sizes))
        return torch.stack([balanced(p, labels[:, i]) for i, p in enumerate(parts)])


def balanced(logits, labels):
    """Cross-entropy in which the patches with something under them weigh as much as all the empty ones."""
    losses = F.cross_entropy(logits, labels, reduction="none")
    something = labels > 0
    seen = losses[something].mean() if something.any() else losses.sum() * 0
    return 0.5 * (seen + losses[~something].mean())


def answers_of(targets):
    """Which positions predict an answer's tokens, and those tokens in the same order."""
    following = F.pad(targets[:, 1:], (0, 1), value=-100)
    wanted = following != -100
    return wanted, following[wanted]


def answer_loss(model, ids, targets, seen, before):
    wanted, tokens = answers_of(targets)
    return F.cross_entropy(text_forward(model, ids, seen, before, wanted).float(), tokens)


@torch.no_grad()
def exact_by_kind(model, batches, prompts):
    """Share of answers whose every token is the most likely one given the right tokens before it."""
    right, total = {}, {}
    device = next(model.parameters()).device
    for tiles, (*tensors, kinds) in batches:
        patches, ratios, _, ids, targets = (t.to(device) for t in tensors)
        wanted, tokens = answers_of(targets)
        logits = text_forward(model, ids, vision_forward(model, patches, ratios, tiles), prompts.before, wanted)
        wrong = torch.zeros(ids.shape[0], device=device).index_add(0, wanted.nonzero()[:, 0], (logits.argmax(-1) != tokens).float())
        for kind, misses in zip(kinds, wrong.tolist(), strict=True):
            right[kind] = right.get(kind, 0) + (misses == 0)
            total[kind] = total.get(kind, 0) + 1
    return {kind: right[kind] / total[kind] for kind in sorted(total)}


class Optimizers:
    """Muon and AdamW side by side, over modules of which each has its own share of the rate."""

    def __init__(self, *shares):
        layers, rest, self.parameters = [], [], []
        for module, share in shares:
            named = list(module.named_parameters())
            is_layer = [p.ndim == 2 and "layers." in name for name, p in named]
            layers.append({"params": [p for (_, p), yes in zip(named, is_layer, strict=True) if yes], "share": share})
            rest.append({"params": [p for (_, p), yes in zip(named, is_layer, strict=True) if not yes], "share": share})
            self.parameters += [p for _, p in named]
        layers = [group for group in layers if group["params"]]
        muon = torch.optim.Muon(layers, lr=8e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
        adam = torch.optim.AdamW(rest, lr=1.5e-3, betas=(0.9, 0.97), eps=1e-8, weight_decay=0.0)
        self.both, self.peaks = (muon, adam), (8e-3, 1.5e-3)

    def step(self, loss, rate):
        for optimizer, peak in zip(self.both, self.peaks, strict=True):
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = peak * rate * group["share"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer in self.both:
            optimizer.step()

    def state_dict(self):
        return [optimizer.state_dict() for optimizer in self.both]

    def load_state_dict(self, states):
        for optimizer, state in zip(self.both, states, strict=True):
            optimizer.load_state_dict(state)


def rate(step, steps, warm):
    """Share of the peak: up in a line, down in half a wave."""
    return float(min(1, (step + 1) / warm) * (0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * step / steps))))


class Trainer:
    """The model, what trains it, and where it stands: `save` and `resume` make a long run survive an interruption."""

    def __init__(self, options):
        torch.manual_seed(options.seed)
        torch.set_float32_matmul_precision("medium")
        self.options, self.device = options, options.device
        tokenizer = build()
        save(tokenizer, options.out)
        self.prompts = Prompts(tokenizer)
        self.model = make_model(make_config(tokenizer)).to(self.device)
        self.head = PatchHead(self.model.config.text_config.hidden_size).to(self.device)
        model = self.model.model
        tower = (model.vision_model, model.multi_modal_projector, self.head)
        self.sees = Optimizers(*((module, 1.0) for module in tower))
        # Muon's updates are as large for noise as for signal: what the tower has learned is handled with care.
        self.answers = Optimizers((model.language_model, 1.0), (self.model.lm_head, 1.0), *((m, 0.25) for m in tower))
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.step, self.seconds = 0, 0.0
        print(f"{sum(p.numel() for p in self.model.parameters()) / 1e6:.2f} M parameters, {len(tokenizer.get_vocab())} tokens")

    def rng(self):
        """A step's scenes depend on the seed and its number alone."""
        return np.random.default_rng([self.options.seed, self.step])

    def autocast(self):
        return torch.autocast(self.device, dtype=torch.bfloat16)

    def see(self):
        rng = self.rng()
        tiles = int(rng.choice([1, 2, 3, 4], p=[0.5, 0.19, 0.06, 0.25]))
        batch = make_batch(rng, self.prompts, tiles, 64 if tiles == 1 else 32, questions=0)
        patches, ratios, labels = (t.to(self.device) for t in batch[:3])
        with self.autocast():
            parts = self.head(vision_forward(self.model, patches, ratios, tiles), labels, tiles)
        self.sees.step(parts.sum(), rate(self.step, self.options.see_steps, warm=100))
        return parts.tolist()

    def answer(self):
        rng, options = self.rng(), self.options
        step, total = self.step - options.see_steps, options.read_steps + options.steps
        is_tower_at_rest = step < options.read_steps
        tiles = int(rng.choice([1, 2, 3, 4], p=[0.45, 0.19, 0.08, 0.28]))
        batch = make_batch(rng, self.prompts, tiles, 32 if tiles < 3 else 24, follow_up=step % 16 == 0)
        patches, ratios, labels, ids, targets = (t.to(self.device) for t in batch[:5])
        with self.autocast():
            with torch.set_grad_enabled(not is_tower_at_rest):
                seen = vision_forward(self.model, patches, ratios, tiles)
                seeing = self.head(seen, labels, tiles).sum()
            loss = answer_loss(self.model, ids, targets, seen, self.prompts.before)
            wanted = loss if is_tower_at_rest else loss + 0.2 * seeing
            if step % 10 == 0:
                turns = [ask_without_picture(rng, random_language(rng)) for _ in range(16)]
                blind, answers = pad_rows([self.prompts.turn(*turn, image=False) for turn in turns], self.prompts.pad)
                wanted = wanted + 0.2 * answer_loss(self.model, blind.to(self.device), answers.to(self.device), None, 0)
        self.answers.step(wanted, rate(step, total, warm=200))
        return loss.item(), seeing.item()

    def advance(self):
        """One step of whichever phase it is → its losses."""
        is_seeing = self.step < self.options.see_steps
        losses = self.see() if is_seeing else self.answer()
        zero_unused_slots(self.model)
        self.step += 1
        since = max(self.step - self.options.see_steps, 0)
        decay = min(0.998, since / (since + 50))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                kept = self.average[name]
                kept.lerp_(value, 1 - decay) if value.is_floating_point() else kept.copy_(value)
        return losses

    def save(self):
        state = {
            "model": self.model.state_dict(), "head": self.head.state_dict(), "average": self.average, "step": self.step,
            "seconds": self.seconds,
            "sees": self.sees.state_dict(), "answers": self.answers.state_dict(),
        }  # fmt: skip
        torch.save(state, self.options.state)

    def resume(self):
        state = torch.load(self.options.state, map_location=self.device, weights_only=True)
        for part in ("model", "head", "sees", "answers"):
            getattr(self, part).load_state_dict(state[part])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        print(f"going on from step {self.step}")

    def record(self):
        """What the model card says of the run."""
        steps = {name: getattr(self.options, f"{name}_steps") for name in ("see", "read")}
        run = {
            "seed": self.options.seed,
            "steps": {**steps, "both": self.options.steps},
            "minutes": round(self.seconds / 60),
            "device": self.device,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "parameters": sum(p.numel() for p in self.model.parameters()),
        }
        with open(os.path.join(HERE, "run.json"), "w", encoding="utf-8") as file:
            json.dump(run, file, indent=2)
            file.write("\n")

    def export(self):
        kept = copy.deepcopy(self.model)
        kept.load_state_dict(self.average)
        zero_unused_slots(kept)
        export(kept, self.options.out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--see-steps", type=int, default=4000, help="steps in which the tower learns to see")
    parser.add_argument("--read-steps", type=int, default=4000, help="steps in which the text model learns to answer")
    parser.add_argument("--steps", type=int, default=4500, help="steps in which both learn together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(HERE, "..", "demo", "checkpoint"))
    parser.add_argument("--state", default=os.path.join(HERE, "state.pt"), help="where to go on from, if it exists")
    parser.add_argument("--export-only", action="store_true", help="write the checkpoint of the saved state and stop")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()

    trainer = Trainer(options)
    if os.path.exists(options.state):
        trainer.resume()
    if options.export_only:
        trainer.export()
        return
    held_rng = np.random.default_rng(999)
    held = [(tiles, make_batch(held_rng, trainer.prompts, tiles, 60)) for tiles in (1, 1, 2, 4)]
    last, losses = time.time(), []
    while trainer.step < options.see_steps + options.read_steps + options.steps:
        if trainer.step == options.see_steps:
            losses = []
        started = time.time()
        losses.append(trainer.advance())
        trainer.seconds += time.time() - started
        if time.time() - last > 120:
            last = time.time()
            print(f"step {trainer.step:6d} after {trainer.seconds / 60:.1f} min, losses {np.mean(losses[-200:], 0).round(4)}", end=" ")
            if trainer.step > options.see_steps:
                exact = exact_by_kind(trainer.model, held, trainer.prompts)
                print(*(f"{kind} {share:.2f}" for kind, share in exact.items()), end="")
            print(flush=True)
            trainer.save()
    trainer.save()
    trainer.export()
    trainer.record()
    trainer.model.load_state_dict(trainer.average)
    print(json.dumps({"steps": trainer.step, "heldOut": exact_by_kind(trainer.model, held, trainer.prompts)}))


def export(model, folder):
    """The checkpoint in bf16, with the processor's file beside it."""
    kept = copy.deepcopy(model).to(torch.bfloat16)
    kept.save_pretrained(folder)
    processor = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "MllamaImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "max_image_tiles": 4,
        "resample": 2,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": TILE, "width": TILE},
    }
    with open(os.path.join(folder, "preprocessor_config.json"), "w", encoding="utf-8") as file:
        json.dump(processor, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
