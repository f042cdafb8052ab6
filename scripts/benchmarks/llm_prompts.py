# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What language models are asked."""

PROMPTS = [
    "What is a compiler?",
    "Write a short story about a lighthouse keeper who finds a message in a bottle.",
    "Explain how rainbows form, in simple words.",
    "Give me three tips for learning to play the piano.",
    "What is the difference between a virus and a bacterium?",
    "Translate into French: The weather is beautiful today.",
    "Write a Python function that returns the n-th Fibonacci number.",
    "List the planets of the solar system in order from the sun.",
    "Why do leaves change color in autumn?",
    "Describe the city of Venice to someone who has never been there.",
    "What are the main causes of inflation?",
    "Write a polite email that asks for a day off next Friday.",
    "How does a bicycle stay upright while it moves?",
    "Summarize the plot of Romeo and Juliet in a few sentences.",
    "What should I pack for a week of hiking in the mountains?",
    "Who was Marie Curie, and what is she known for?",
    "Write a haiku about winter.",
    "How do I make a good cup of coffee at home?",
    "Explain what a hash table is and when to use one.",
    "Suggest a name for a bakery, and say why it fits.",
]

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def chat(prompt):
    """In the form that SmolLM2's own template gives it."""
    return f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
