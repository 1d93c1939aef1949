def test_empty(open_dock, qtbot):
    dock = open_dock("Curation")
    qtbot.waitUntil(dock.maker.empty.isVisible)
    dock.maker.empty.sample.click()
    qtbot.waitUntil(lambda: dock.review is not None and not dock.workers.busy, timeout=20000)
    print(dock.panel.list.texts()[:3], dock.message.text)
    import time
    t=time.time()
    dock.accept()
    qtbot.waitUntil(lambda: not dock.workers.busy)
    dock.session.viewer.window.screenshot("/tmp/shot.png", canvas_only=False, flash=False)
