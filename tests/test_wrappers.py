"""Any wrapper around a model gives what the model itself gives, and what cannot be read raises."""

import copy

import numpy as np
import pytest
import torch
import transformers
from toys import COMPILING, LAYERS, RELEASE, VOCABULARY, WIDTH, tiny

from decondense import hooks, measure
from decondense.models import architectures

IDS = torch.arange(24).reshape(2, 12)
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated", *COMPILING)  # PEFT asks
TEXTS = [list(range(20)), list(range(7, 30)), list(range(3, 23))]


def lora(net):
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    config = peft.LoraConfig(r=4, target_modules=["c_attn"], init_lora_weights=False, fan_in_fan_out=True)
    torch.manual_seed(3)
    return peft.get_peft_model(net, config)


def two_adapters(net):
    model = lora(net)
    model.add_adapter("other", model.peft_config["default"])
    model.set_adapter("other")
    return model


def nested(net):
    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = net

        def forward(self, *args, **kwargs):
            return self.model(*args, **kwargs)

    return Outer()


def wrapped_by(name):
    def wrap(net):
        outer = nested(net)
        setattr(outer, name, outer.__dict__["_modules"].pop("model"))
        outer.forward = net.forward
        return outer

    return wrap


def lightning_module(net):
    lightning = pytest.importorskip("lightning", reason="Lightning is not installed")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, *args, **kwargs):
            return self.net(*args, **kwargs)

    return Module()


def prepared(net):
    accelerate = pytest.importorskip("accelerate")
    # One state for the whole process: a trainer of another test may have left its mixed precision there.
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    return accelerate.Accelerator(cpu=True).prepare(net)


def compiled(net):
    return torch.compile(net, backend="eager")


def compiled_in_place(net):
    net.compile(backend="eager")
    return net


def compiled_blocks(net):
    for block in hooks.blocks(net):
        block.compile(backend="eager")
    return net


WRAPPERS = {  # name -> wrapper
    "a module around it": nested,
    "module around a module": lambda net: nested(nested(net)),
    "stand-in of DDP and DeepSpeed": wrapped_by("module"),
    "stand-in of OptimizedModule": wrapped_by("_orig_mod"),
    "Lightning": lightning_module,
    "accelerate": prepared,
    "torch.compile": compiled,
    "compiled in place": compiled_in_place,
    "compiled blocks": compiled_blocks,
    "LoRA": lora,
    "two adapters": two_adapters,
    "LoRA in a module": lambda net: nested(lora(net)),
    "compiled LoRA": lambda net: compiled(lora(net)),
}


def states(model, call=None):
    with torch.no_grad(), hooks.residual_stream(model) as found:
        (model if call is None else call)(input_ids=IDS)
    return found


def expected(model):
    """The hidden states that Hugging Face returns for the model in a wrapper, which runs as it was written."""
    inner = hooks.pretrained(model)
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        return inner(input_ids=IDS, output_hidden_states=True).hidden_states


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapped_model_has_the_entries_of_the_model(wrap):
    model = wrap(tiny("gpt2"))
    found = states(model)
    assert hooks.n_entries(model) == len(found) == LAYERS + 1
    for entry, state in enumerate(expected(model)):
        torch.testing.assert_close(found[entry], state, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*shorter than max_length", "ignore:The GPT2LMHeadModel inside")
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapped_model_is_measured_as_the_model(wrap):
    model = wrap(tiny("gpt2"))
    inner = hooks.pretrained(model)
    found, plain = (measure(m, None, TEXTS, controls=True, progress=False) for m in (model, inner))
    assert (found.mu_per_text == plain.mu_per_text).all()
    np.testing.assert_array_equal(found.controls.per_text, plain.controls.per_text)
    assert found.name == "GPT2LMHeadModel"
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        states = inner(input_ids=torch.tensor(TEXTS[:1]), output_hidden_states=True).hidden_states
    mean = [float(torch.nn.functional.normalize(state[0], dim=-1).mean(0).square().sum()) for state in states]
    assert found.mu_per_text[0] == pytest.approx(mean, abs=1e-5)


def test_an_adapter_changes_what_is_measured_until_it_is_off():
    plain = states(tiny("gpt2"))
    model = lora(tiny("gpt2"))
    assert not torch.allclose(states(model)[LAYERS], plain[LAYERS], atol=1e-3)
    with model.disable_adapter():
        torch.testing.assert_close(states(model)[LAYERS], plain[LAYERS], rtol=0, atol=1e-6)
    with_adapter, merged = states(model), states(model.merge_and_unload())
    torch.testing.assert_close(merged[LAYERS], with_adapter[LAYERS], rtol=0, atol=1e-5)


def test_a_module_whose_forward_is_not_run_is_warned_of(recwarn):
    how = {"progress": False, "max_length": 20}
    measure(lora(tiny("gpt2")), None, TEXTS, **how)
    measure(compiled(tiny("gpt2")), None, TEXTS, **how)
    assert not [w for w in recwarn if "is not run" in str(w.message)]
    with pytest.warns(UserWarning, match="The GPT2LMHeadModel inside Outer is measured; what the forward method of"):
        measure(nested(tiny("gpt2")), None, TEXTS, **how)


def test_several_models_in_one_wrapper_are_refused():
    class Pair(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.student, self.teacher = tiny("gpt2"), tiny("llama")

    with pytest.raises(ValueError, match=r"Pair holds 2 models \(student, teacher\): give one of them\."):
        hooks.backbone(Pair())


def test_the_same_model_under_two_names_is_one():
    outer = nested(tiny("gpt2"))
    outer.again = outer.model
    assert hooks.backbone(outer) is outer.model.transformer


# --- what cannot be right raises ------------------------------------------------------------------------------------


@pytest.mark.parametrize("compile_it", [compiled, compiled_in_place])
def test_a_model_that_ran_compiled_before_the_hooks_came_raises(compile_it):
    torch.compiler.reset()
    net = tiny("gpt2")
    model = compile_it(net)
    with torch.no_grad():
        model(input_ids=IDS)
    with pytest.raises(RuntimeError, match=r"torch\.compiler\.reset\(\)"):
        states(net, model)
    torch.compiler.reset()
    assert len(states(net, model)) == LAYERS + 1


def test_compiled_blocks_that_ran_before_give_every_entry():
    torch.compiler.reset()
    model = compiled_blocks(tiny("gpt2"))
    with torch.no_grad():
        model(input_ids=IDS)
    for entry, state in states(model).items():
        torch.testing.assert_close(state, expected(model)[entry], rtol=0, atol=1e-6)


def test_a_model_compiled_and_run_before_is_measured_all_the_same():
    torch.compiler.reset()
    model = compiled(tiny("gpt2"))
    model(input_ids=IDS)
    found, plain = (measure(m, None, TEXTS, progress=False, max_length=20).mu for m in (model, tiny("gpt2")))
    assert (found == plain).all()


def test_compiled_hooks_follow_the_context_that_is_open():
    torch.compiler.reset()
    net = tiny("gpt2")
    model = compiled(net)
    for reduce in (lambda _, h: h.sum(), lambda _, h: h.amax(), lambda entry, h: h.sum() * entry):
        found = []
        for call in (model, net):
            with torch.no_grad(), hooks.residual_stream(net, reduce) as values:
                call(input_ids=IDS)
            found.append([float(values[entry]) for entry in range(LAYERS + 1)])
        assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_a_context_without_a_forward_pass_raises():
    other = copy.deepcopy(model := tiny("gpt2"))
    with pytest.raises(RuntimeError, match="No forward pass of GPT2LMHeadModel was seen"):
        states(model, other)


def test_an_error_inside_the_context_is_not_hidden():
    with pytest.raises(KeyError, match="mine"), hooks.residual_stream(tiny("gpt2")):
        raise KeyError("mine")


@pytest.mark.filterwarnings("ignore")
def test_blocks_that_are_left_out_raise():
    config = transformers.OPTConfig(
        hidden_size=WIDTH, num_hidden_layers=8, num_attention_heads=4, ffn_dim=48, vocab_size=VOCABULARY,
        max_position_embeddings=64, word_embed_proj_dim=WIDTH, layerdrop=0.9,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.OPTForCausalLM(config).train()
    with pytest.raises(RuntimeError, match=r"went through the blocks \[.*\], and not once through each of 0 to 7"):
        states(model)


def test_a_step_of_generation_is_refused():
    model = tiny("gpt2", bos_token_id=0, eos_token_id=None, pad_token_id=0)
    with pytest.raises(ValueError, match="A step of generation inside the context"), hooks.residual_stream(model):
        model.generate(IDS, max_new_tokens=3, do_sample=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PromptTuningConfig", "PrefixTuningConfig"])
def test_a_step_of_generation_behind_virtual_tokens_is_refused(kind):
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    net = tiny("gpt2", bos_token_id=0, eos_token_id=None, pad_token_id=0)
    model = peft.get_peft_model(net, getattr(peft, kind)(task_type="CAUSAL_LM", num_virtual_tokens=5))
    with pytest.raises(ValueError, match="A step of generation inside the context"), hooks.residual_stream(model):
        model.generate(input_ids=IDS, max_new_tokens=3, do_sample=False)


@pytest.mark.skipif(RELEASE < 5, reason="caches of earlier releases do not tell whether they were written to")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mamba", "rwkv", "jamba"])
def test_a_step_of_generation_of_a_state_space_model_is_refused(name):
    model = architectures.build("state space and hybrids", name)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = None, 0
    with pytest.raises(ValueError, match="A step of generation inside the context"), hooks.residual_stream(model):
        model.generate(IDS + 3, max_new_tokens=3, do_sample=False)


def test_a_model_that_accelerate_offloads_is_measured_as_it_is():
    from accelerate import cpu_offload

    expected = measure(tiny("gpt2"), None, TEXTS, progress=False, max_length=20)
    model = cpu_offload(tiny("gpt2"), execution_device=torch.device("cpu"))
    assert model.transformer.wte.weight.is_meta
    assert (measure(model, None, TEXTS, progress=False, max_length=20).mu == expected.mu).all()


def test_one_new_token_is_a_pass_over_the_whole_text():
    model = tiny("gpt2", bos_token_id=0, eos_token_id=None, pad_token_id=0)
    with hooks.residual_stream(model) as found:
        model.generate(IDS, max_new_tokens=1, do_sample=False)
    assert found[LAYERS].shape == (2, 12, WIDTH)


def test_the_meta_device_is_refused():
    with torch.device("meta"):
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64))
    with pytest.raises(ValueError, match="GPT2LMHeadModel is on the meta device"), hooks.residual_stream(model):
        model(IDS.to("meta"))
    with pytest.raises(ValueError, match="GPT2LMHeadModel is on the meta device"):
        measure(model, None, TEXTS, progress=False, max_length=20)


def test_an_image_encoder_of_equal_depth_is_not_taken_for_the_text_model():
    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.GitConfig(
        vision_config=vision | {"image_size": 28, "patch_size": 14}, hidden_size=WIDTH, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=48, vocab_size=VOCABULARY, max_position_embeddings=64,
        bos_token_id=0, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.GitForCausalLM(config).eval()
    assert hooks.blocks(model) is model.git.encoder.layer
    expected = model(input_ids=IDS, output_hidden_states=True).hidden_states
    for entry, state in enumerate(expected):
        torch.testing.assert_close(states(model)[entry], state, rtol=0, atol=1e-6)


# --- the last entry -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "gemma-3"])
def test_the_last_entry_is_that_of_hidden_states_on_both_settings(name, tied):
    model = tiny(name)
    model.config.tie_last_hidden_states = tied
    found, theirs = states(model), expected(model)
    assert len(found) == len(theirs)
    for entry, state in enumerate(theirs):
        assert torch.equal(found[entry], state), entry


# --- PEFT's prompt learning -----------------------------------------------------------------------------------------


def prompt_tuned():
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
    return peft.get_peft_model(tiny("gpt2", bos_token_id=0, eos_token_id=1), config)


def test_virtual_tokens_are_counted_and_not_measured():
    model = prompt_tuned()
    assert hooks.virtual_tokens(model) == 5
    assert hooks.virtual_tokens(lora(tiny("gpt2"))) == 0
    with pytest.raises(ValueError, match=r"virtual tokens .* model\.get_base_model\(\)"):
        measure(model, None, TEXTS, progress=False)
    found = measure(model.get_base_model(), None, TEXTS, progress=False, max_length=20)
    assert (found.mu == measure(tiny("gpt2"), None, TEXTS, progress=False, max_length=20).mu).all()
