"""The same skills in Chinese: questions and answers in characters, spoken through pinyin."""
