if ready:
        load()
    store()
done()
