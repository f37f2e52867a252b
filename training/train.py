"""Train the demo model: `python training/train.py`. What comes out is decided by the seed and the numbers of steps.

1. See. The tower alone: a head on the projected patches says what lies under each (kind, colour, size, digit, place).
2. Speak. The text model learns to answer from what a tower at rest tells it.
3. Find. More of the questions that name a shape. Where it has been named in full, heads say which kind and colour that was
   (the same heads for all languages, so that what is found in one is found in all) and, after the first look, its place.
4. All. Everything learns together.

The heads are thrown away. A step takes pictures of one tile count, encodes each once and asks four questions about it in
random languages. The weights that are kept are a running average.

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
from model import (
    PATCH,
    RATIOS,
    SIDE,
    TILE,
    make_config,
    make_model,
    text_features,
    text_forward,
    vision_forward,
    zero_unused_slots,
)
from pictures import canvas, tiles_of
from scenes import QUESTION_KINDS, ask, ask_about, ask_without_picture, make_scene, random_language
from texts import COLOURS, KINDS, end_of_phrase
from tokenizer import build, save

HERE = os.path.dirname(os.path.abspath(__file__))
QUESTIONS_EACH = 4
# How often each kind is asked: at first what teaches to speak and read, then what has to be found in the picture.
SPEAKING = dict(zip(QUESTION_KINDS, (2.0, 1.0, 1.0, 1.0, 1.3, 1.3, 1.5, 3.0), strict=True))
FINDING = dict(zip(QUESTION_KINDS, (0.7, 0.3, 2.0, 2.0, 2.8, 1.2, 2.8, 1.2), strict=True))
ALL = dict(zip(QUESTION_KINDS, (1.2, 0.3, 1.0, 1.0, 1.4, 3.2, 2.6, 1.6), strict=True))


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

    def named(self, lang, question, shapes):
        """Per named shape: position of the token that completes its name, kind, colour (-100: not named), place."""
        offsets = self.tokenizer.encode(question, add_special_tokens=False).offsets
        found, end = [], 0
        for kind, colour, place in shapes:
            end = end_of_phrase(lang, question, kind, colour, end)
            token = max(i for i, (start, _) in enumerate(offsets) if start < end)
            labels = (KINDS.index(kind) if kind else -100, COLOURS.index(colour) if colour else -100, place)
            found.append((self.before + 1 + token, *labels))
        return found

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


def make_batch(rng, prompts, tiles, size, questions=QUESTIONS_EACH, weight_of=ALL, follow_up=False):
    """Pictures with their questions, each `follow_up` by another of its kind; pads to the longest row."""
    patches, ratios, labels, rows, of_kind, named, meant = [], [], [], [], [], [], []
    weights = np.array([weight_of[kind] for kind in QUESTION_KINDS])
    while len(patches) < size:
        scene = make_scene(rng, *draw_size(rng, tiles), number_share=0.3)
        turns = []
        for _ in range(40):
            if len(turns) == questions:
                break
            kind = QUESTION_KINDS[rng.choice(len(QUESTION_KINDS), p=weights / weights.sum())]
            lang = random_language(rng)
            asked = ask_about(rng, scene, kind, lang)
            if asked:
                row = prompts.turn(*asked[:2])
                if follow_up:
                    second = ask(rng, scene, kind, lang)
                    if second:
                        more = prompts.turn(*second, image=False, first=False)
                        row = (row[0] + more[0], row[1] + more[1])
                turns.append((row, kind, prompts.named(lang, asked[0], asked[2])))
        if len(turns) < questions:
            continue  # this scene leaves too much open
        found, ratio, scale = tiles_of(scene.image)
        patches.append(found)
        ratios.append(ratio)
        labels.append(patch_labels(scene, scale, ratio))
        named += [[len(rows) + i, *shape] for i, (_, _, shapes) in enumerate(turns) for shape in shapes]
        rows += [row for row, _, _ in turns]
        of_kind += [kind for _, kind, _ in turns]
        meant += [[*(shape[-1] for shape in shapes), -100, -100][:2] for _, _, shapes in turns]
    ids, targets = pad_rows(rows, prompts.pad) if rows else (None, None)
    seen = torch.from_numpy(np.stack(patches)), torch.tensor(ratios), torch.from_numpy(np.stack(labels))
    return *seen, ids, targets, torch.tensor(named).view(-1, 5), torch.tensor(meant), of_kind


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
    """Mean over all tokens of all answers."""
    wanted, tokens = answers_of(targets)
    return F.cross_entropy(text_forward(model, ids, seen, before, wanted).float(), tokens)


class MeantHead(torch.nn.Module):
    """Says where the question has named a shape which kind and colour it named, after the first look where that shape is
    (places from the left, 0 for none), and where the answer begins the places of both."""

    def __init__(self, width):
        super().__init__()
        self.word, self.place, self.places = (torch.nn.Linear(width, n) for n in (len(KINDS) + len(COLOURS), 4, 2 * 4))

    def forward(self, layers, firsts, named, meant):
        """`layers`: rows after the first self- and the first cross-attention; `named` [K, 4]: row, kind, colour, place."""
        rows, kinds, colours, places = named.unbind(1)
        word = self.word(layers[0][rows]).float()
        parts = (
            (word[:, : len(KINDS)], kinds),
            (word[:, len(KINDS) :], colours),
            (self.place(layers[1][rows]).float(), places),
            (self.places(firsts).float().view(-1, 4), meant.reshape(-1)),
        )
        return torch.stack([known(*part) for part in parts])


def known(logits, labels):
    """Cross-entropy over the labels that there are."""
    return F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum") / (labels >= 0).sum().clamp(min=1)


def finding_loss(model, head, batch, seen, before):
    """Mean over answers, so that a "yes" weighs as much as a caption; and how well it is known what is meant."""
    ids, targets, named, meant = batch
    wanted, tokens = answers_of(targets)
    layers = []
    features = text_features(model, ids, seen, before, wanted, layers)
    losses = F.cross_entropy(model.lm_head(features).float(), tokens, reduction="none")
    lengths = wanted.sum(1)
    weights = (1 / lengths).repeat_interleave(lengths)
    firsts = lengths.cumsum(0) - lengths
    named = torch.cat([named[:, :1] * ids.shape[1] + named[:, 1:2], named[:, 2:]], 1)
    return (losses * weights).sum() / len(ids), head(layers, features[firsts], named, meant)


@torch.no_grad()
def exact_by_kind(model, batches, prompts):
    """Share of answers whose every token is the most likely one given the right tokens before it."""
    right, total = {}, {}
    device = next(model.parameters()).device
    for tiles, (*tensors, kinds) in batches:
        patches, ratios, _, ids, targets, *_ = (t.to(device) for t in tensors)
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
        width = self.model.config.text_config.hidden_size
        self.head, self.meant_head = PatchHead(width).to(self.device), MeantHead(width).to(self.device)
        model = self.model.model
        tower = (model.vision_model, model.multi_modal_projector, self.head)
        self.sees = Optimizers(*((module, 1.0) for module in tower))
        # Muon's updates are as large for noise as for signal: what the tower has learned is handled with care.
        text = (model.language_model, self.model.lm_head)
        self.answers = Optimizers(*((module, 1.0) for module in text), *((module, 0.25) for module in tower))
        self.meaning = torch.optim.AdamW(self.meant_head.parameters(), lr=1e-3, weight_decay=0.0)
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.step, self.seconds = 0, 0.0
        self.steps = options.see_steps + options.speak_steps + options.find_steps + options.steps
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
        step, total = self.step - options.see_steps, options.speak_steps + options.find_steps + options.steps
        is_finding = step >= options.speak_steps
        is_tower_at_rest = step < options.speak_steps + options.find_steps
        kinds = SPEAKING if not is_finding else FINDING if is_tower_at_rest else ALL
        tiles = int(rng.choice([1, 2, 3, 4], p=[0.45, 0.19, 0.08, 0.28]))
        size = 32 if tiles < 3 else 24
        batch = make_batch(rng, self.prompts, tiles, size, weight_of=kinds, follow_up=step % 16 == 0)
        patches, ratios, labels, ids, targets, named, meant = (t.to(self.device) for t in batch[:7])
        before = self.prompts.before
        with self.autocast():
            with torch.set_grad_enabled(not is_tower_at_rest):
                seen = vision_forward(self.model, patches, ratios, tiles)
                seeing = self.head(seen, labels, tiles).sum()
            if is_finding:
                batch = (ids, targets, named, meant)
                loss, knowing = finding_loss(self.model, self.meant_head, batch, seen, before)
                wanted = loss + 0.3 * knowing.sum()
            else:
                wanted = loss = answer_loss(self.model, ids, targets, seen, before)
                knowing = loss.new_zeros(4)
            if not is_tower_at_rest:
                wanted = wanted + 0.2 * seeing
            if step % 10 == 0:
                turns = [ask_without_picture(rng, random_language(rng)) for _ in range(16)]
                blind, answers = pad_rows([self.prompts.turn(*turn, image=False) for turn in turns], self.prompts.pad)
                wanted = wanted + 0.2 * answer_loss(self.model, blind.to(self.device), answers.to(self.device), None, 0)
        self.meaning.zero_grad(set_to_none=True)
        self.answers.step(wanted, rate(step, total, warm=200))
        self.meaning.step()
        return loss.item(), seeing.item(), *knowing.tolist()

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
            "meant_head": self.meant_head.state_dict(), "meaning": self.meaning.state_dict(),
        }  # fmt: skip
        torch.save(state, self.options.state)

    def resume(self):
        state = torch.load(self.options.state, map_location=self.device, weights_only=True)
        for part in ("model", "head", "sees", "answers", "meant_head", "meaning"):
            getattr(self, part).load_state_dict(state[part])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        print(f"going on from step {self.step}")

    def record(self):
        """What the model card says of the run."""
        steps = {name: getattr(self.options, f"{name}_steps") for name in ("see", "speak", "find")}
        run = {
            "seed": self.options.seed,
            "steps": {**steps, "all": self.options.steps},
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
    parser.add_argument("--speak-steps", type=int, default=2500, help="steps in which the text model learns to speak")
    parser.add_argument("--find-steps", type=int, default=2200, help="steps in which it learns to find what is meant")
    parser.add_argument("--steps", type=int, default=1900, help="steps in which all learns together")
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
    while trainer.step < trainer.steps:
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
