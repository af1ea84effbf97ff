SELECT * FROM lyftron.load_vault('bench', 'bench.stage');
