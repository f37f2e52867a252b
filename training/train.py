"""Train the demo model: `python training/train.py --minutes 90`, or `--steps N` for a repeatable run.

Each step takes pictures of one tile count, encodes each once and asks four questions about it in random languages. Beside
the answers, an auxiliary head on the projected patches learns what lies under each patch (kind, colour, size, digit,
which from the left); it
teaches the tower to see within minutes and is thrown away. The weights that are kept are a running average.
"""

import argparse
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
            side = rng.integers(48, TILE + 1)
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


def make_batch(rng, prompts, tiles, size, questions=QUESTIONS_EACH, kinds=None):
    """Pictures with their questions; pads to the longest row."""
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
                if rng.random() < 0.06:
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
    for tiles, (patches, ratios, _, ids, targets, kinds) in batches:
        wanted, tokens = answers_of(targets)
        logits = text_forward(model, ids, vision_forward(model, patches, ratios, tiles), prompts.before, wanted)
        wrong = torch.zeros(ids.shape[0]).index_add(0, wanted.nonzero()[:, 0], (logits.argmax(-1) != tokens).float())
        for kind, misses in zip(kinds, wrong.tolist(), strict=True):
            right[kind] = right.get(kind, 0) + (misses == 0)
            total[kind] = total.get(kind, 0) + 1
    return {kind: right[kind] / total[kind] for kind in sorted(total)}


def see(model, head, optimizer, rng, prompts, options):
    """The tower alone, on what lies under each patch: five times the pictures a second that questions allow."""
    start, last, step, losses = time.time(), time.time(), 0, []
    trained = [*model.model.vision_model.parameters(), *model.model.multi_modal_projector.parameters(), *head.parameters()]
    while (done := (time.time() - start) / (options.see_minutes * 60)) < 1:
        rate = 1e-3 * min(1, (step + 1) / 100) * (0.3 + 0.7 * 0.5 * (1 + np.cos(np.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        tiles = int(rng.choice([1, 2, 3, 4], p=[0.55, 0.17, 0.03, 0.25]))
        patches, ratios, labels, *_ = make_batch(rng, prompts, tiles, 64 if tiles == 1 else 32, questions=0)
        seen = vision_forward(model, patches.to(options.device), ratios.to(options.device), tiles)
        parts = head(seen, labels.to(options.device), tiles)
        loss = parts.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        zero_unused_slots(model)
        losses.append(parts.tolist())
        step += 1
        if time.time() - last > 30:
            last = time.time()
            print(f"{done * options.see_minutes:6.1f} min seeing, step {step} patches {np.mean(losses[-100:], 0).round(3)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="train for this long")
    parser.add_argument("--steps", type=int, help="train for this many steps")
    parser.add_argument("--see-minutes", type=float, default=0, help="first teach the tower alone to see, for this long")
    parser.add_argument("--batch", type=int, default=32, help="pictures of a step")
    parser.add_argument("--init", help="weights of an earlier state to begin with")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(HERE, "..", "demo", "checkpoint"))
    parser.add_argument("--state", default=os.path.join(HERE, "state.pt"), help="where to go on from, if it exists")
    parser.add_argument("--export-only", action="store_true", help="write the checkpoint of the saved state and stop")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    tokenizer = build()
    save(tokenizer, options.out)
    prompts = Prompts(tokenizer)
    model = make_model(make_config(tokenizer)).to(options.device)
    head = PatchHead(model.config.text_config.hidden_size).to(options.device)
    trained = [*model.parameters(), *head.parameters()]
    decayed = [p for p in trained if p.ndim > 1]
    rest = [p for p in trained if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.97), eps=1e-8)
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {len(tokenizer.get_vocab())} tokens")

    step, spent = 0, 0.0
    if options.init:
        first = torch.load(options.init, map_location=options.device, weights_only=False)
        model.load_state_dict(first["model"])
        head.load_state_dict(first["head"])
    if os.path.exists(options.state):
        state = torch.load(options.state, map_location=options.device, weights_only=False)
        model.load_state_dict(state["model"])
        head.load_state_dict(state["head"])
        optimizer.load_state_dict(state["optimizer"])
        average, step, spent = state["average"], state["step"], state["spent"]
        rng = np.random.default_rng(options.seed + step)
        print(f"going on from step {step}")
    if options.export_only:
        model.load_state_dict(average)
        export(model, options.out)
        return

    if options.see_minutes and spent == 0:
        see(model, head, optimizer, rng, prompts, options)
        average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    held_rng = np.random.default_rng(999)
    held = [(tiles, make_batch(held_rng, prompts, tiles, 40)) for tiles in (1, 1, 2, 4)]
    start, last, losses = time.time() - spent, time.time(), []
    while True:
        spent = time.time() - start
        done = max(spent / (options.minutes * 60) if options.minutes else 0, step / options.steps if options.steps else 0)
        if done >= 1:
            break
        warm = min(1, (step + 1) / 200)
        rate = options.rate * warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        tiles = int(rng.choice([1, 2, 3, 4], p=[0.5, 0.17, 0.05, 0.28]))
        size = options.batch if tiles < 3 else options.batch * 3 // 4
        patches, ratios, labels, ids, targets, _ = make_batch(rng, prompts, tiles, size)
        to = lambda t: t.to(options.device)  # noqa: E731
        with torch.autocast(options.device, dtype=torch.bfloat16, enabled=options.device == "cuda"):
            seen = vision_forward(model, to(patches), to(ratios), tiles)
            seeing = head(seen, to(labels), tiles).sum()
            loss = answer_loss(model, to(ids), to(targets), seen, prompts.before)
            total = loss + 0.4 * (1 - 0.7 * done) * seeing
            if step % 10 == 0:
                rows = [prompts.turn(*ask_without_picture(rng, random_language(rng)), image=False) for _ in range(16)]
                blind, blind_targets = pad_rows(rows, prompts.pad)
                total = total + 0.2 * answer_loss(model, to(blind), to(blind_targets), None, 0)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        zero_unused_slots(model)
        step += 1
        losses.append((loss.item(), seeing.item()))
        decay = min(0.998, step / (step + 50))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - decay) if value.is_floating_point() else average[name].copy_(value)
        if time.time() - last > 60:
            last = time.time()
            mean = np.mean(losses[-200:], 0)
            exact = exact_by_kind(model, held, prompts)
            shown = " ".join(f"{kind} {share:.2f}" for kind, share in exact.items())
            print(f"{spent / 60:6.1f} min step {step:6d} answer {mean[0]:.4f} patches {mean[1]:.4f} | {shown}", flush=True)
            torch.save(
                {"model": model.state_dict(), "head": head.state_dict(), "optimizer": optimizer.state_dict(),
                 "average": average, "step": step, "spent": spent},
                options.state,
            )  # fmt: skip
    model.load_state_dict(average)
    zero_unused_slots(model)
    export(model, options.out)
    exact = exact_by_kind(model, held, prompts)
    print(json.dumps({"steps": step, "minutes": spent / 60, "heldOut": exact}))


def export(model, folder):
    """The checkpoint in bf16, with the processor's file beside it."""
    import copy

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
