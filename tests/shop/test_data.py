from shop import data


def test_the_shop_has_ten_thousand_products_and_a_thousand_users():
    catalogue = data.generate()
    assert (10_000, 1_000) == (len(catalogue.products), len(catalogue.users))


def test_the_same_seed_gives_the_same_shop():
    assert data.generate(3, 50, 5) == data.generate(3, 50, 5)


def test_another_seed_gives_another_shop():
    assert data.generate(3, 50, 5) != data.generate(4, 50, 5)


def test_ids_count_from_one_without_gaps():
    catalogue = data.generate(3, 50, 5)
    assert list(range(1, 51)) == [product.id for product in catalogue.products]
    assert list(range(1, 6)) == [user.id for user in catalogue.users]
